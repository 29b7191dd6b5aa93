"""Faults that these tests have found and that are still open: each test fails as said, and tells when it is mended."""

# The beginnings of tests' names, and what is wrong.
OPEN = {
    "test_bad_input_is_refused[prepare --videos-text]": "a preparation without any clip ends as a success",
    "test_bad_input_is_refused[prepare --videos-other kind]": "a preparation without any clip ends as a success",
    **{
        f"test_input_whose_name_is_not_utf8_is_refused_or_used[{case}]": "a traceback: pyarrow takes no such names"
        for case in (
            *("prepare --videos", "prepare --manifest", "probe --clips", "train --clips", "train --init-from"),
            *("evaluate --checkpoint", "evaluate --clips", "evaluate --resampled", "generate --checkpoint"),
            *("info clips", "info run"),
        )
    },
    **{
        f"test_output_whose_name_is_not_utf8_is_refused_or_written[{verb}]": "a traceback: pyarrow takes no such names"
        for verb in ("prepare", "probe", "train", "evaluate", "generate")
    },
    "test_media_broken_by_structure[png]": "EXIF that only FFmpeg reads crashes PyAV; MemoryError of a false length",
    "test_many_media_broken_by_structure[png]": "the same",
}
