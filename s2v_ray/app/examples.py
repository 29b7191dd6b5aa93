"""Pictures and sounds to try the page with, made without network from what there is."""

import wave
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from s2v_ray.dataset.reader import ClipReader
from s2v_ray.media.audio_file import sound_blocks
from s2v_ray.media.image import read_picture
from s2v_ray.storage.files import list_files
from s2v_ray.storage.paths import join
from s2v_ray.synthetic.scenes import SCENES
from s2v_ray.synthetic.write import synthesize

_MOST = 3
_SECONDS, _SIZE, _SEED = 4.0, 256, 424_242

Example = tuple[str, str]  # the paths of a picture and a sound


def find_examples(runs: Sequence[str], clips: Sequence[str], folder: Path) -> list[Example]:
    """Up to three pictures with sounds, written to `folder`; the model has learnt from none of them.

    They are the first frames and sounds of clips of the split `test`, one a source; without `clips`, those of what the
    `runs` were validated on; without these, of the synthetic domains.
    """
    return _of_clips(clips, folder)[:_MOST] or _of_samples(runs, folder)[:_MOST] or _synthetic(folder)


def _of_clips(clips: Sequence[str], folder: Path) -> list[Example]:
    found: list[Example] = []
    for number, location in enumerate(clips):
        reader = ClipReader(location, "test")
        first_of = {source: index for index, source in reversed(list(enumerate(reader.sources)))}
        for source, index in islice(sorted(first_of.items()), _MOST):
            clip = reader[index]
            found.append(
                _written(
                    folder / str(number) / Path(source).stem[:60],
                    clip.frames_THWC[0],
                    clip.wave,
                    reader.settings.sample_rate,
                )
            )
    return found


def _of_samples(runs: Sequence[str], folder: Path) -> list[Example]:
    """Of each run's last sample: it shows the generated beside the real video."""
    found: list[Example] = []
    for number, run in enumerate(runs):
        samples = join(run, "samples")
        for name in [name for name in list_files(samples) if name.endswith(".mp4")][-1:]:
            both_HWC = read_picture(join(samples, name))
            real_HWC = both_HWC[:, both_HWC.shape[1] // 2 :]
            sound = np.concatenate(list(sound_blocks(join(samples, name), 44100)))
            found.append(_written(folder / str(number) / "validation clip", real_HWC, sound, 44100))
    return found


def _synthetic(folder: Path) -> list[Example]:
    found: list[Example] = []
    for domain in sorted(SCENES)[:_MOST]:
        (video,) = synthesize(domain, folder, sources=1, seed=_SEED, seconds=_SECONDS, size=_SIZE)
        sound = np.concatenate(list(sound_blocks(video, 44100)))
        found.append(_written(folder / f"synthetic {domain}", read_picture(video), sound, 44100))
        video.unlink()
    return found


def _written(path: Path, picture_HWC: np.ndarray, samples_S: np.ndarray, sample_rate: int) -> Example:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture, sound = path.with_name(f"{path.name}.png"), path.with_name(f"{path.name}.wav")
    Image.fromarray(picture_HWC).save(picture)
    with wave.open(str(sound), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(samples_S.astype("<i2").tobytes())
    return str(picture), str(sound)
