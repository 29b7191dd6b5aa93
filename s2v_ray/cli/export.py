"""`s2v export`."""

from s2v_ray.cli.flags import Location
from s2v_ray.cli.next_command import command
from s2v_ray.cli.result import Result
from s2v_ray.errors import UserError


def export(
    run: Location = "",
    /,
    *,
    out: Location,
    checkpoint: Location = "",
    clips: tuple[Location, ...] = (),
    report: Location = "",
    example: Location = "",
    name: str = "",
    license: str = "",  # noqa: A002 - the flag's name
    data_license: str = "",
    onnx: bool = False,
    push_to_hub: str = "",
    public: bool = False,
) -> Result:
    """Write a model as one folder to share: weights, settings, and a card that says what it is.

    Args:
        run: the same as --checkpoint.
        out: the folder to write; every --checkpoint takes it, or a zip of it.
        checkpoint: a run (its best checkpoint) or one checkpoint.
        clips: the clips that it was trained on, to describe them on the card.
        report: what s2v evaluate wrote for this checkpoint, for the scores on the card.
        example: an .mp4 to show; by default the report's median clip, else the last sample of the run.
        name: the model's name on the card; by default the folder's.
        license: the licence of the model, such as apache-2.0 or cc-by-nc-4.0.
        data_license: the licence of the videos that it was trained on.
        onnx: write the model as an ONNX graph, too.
        push_to_hub: upload the folder as this model, USER/MODEL, of the Hugging Face hub (or of HF_ENDPOINT).
        public: make that model public; by default a new one is private.
    """
    if bool(run) == bool(checkpoint):
        raise UserError("missing_flag", "--checkpoint is needed, once: name a run of s2v train, or one checkpoint.")
    if public and not push_to_hub:
        raise UserError("bad_flags", "--public goes with --push-to-hub; name the model there, or leave it out.")
    from s2v_ray.dataset.collection import find_data_sets
    from s2v_ray.export.hub import hub_client, push
    from s2v_ray.recipes.export import EXTRAS, ExportSettings
    from s2v_ray.recipes.export import export as write_export

    client = hub_client() if push_to_hub else None  # before any work
    data = find_data_sets(clips) if clips else ()
    settings = ExportSettings(name, data, report, example, license, data_license, onnx)
    made = write_export(checkpoint or run, out, settings, lambda text: print(f"{text} ...", flush=True))
    print(f"Wrote {len(made.files)} files, {sum(map(len, made.files.values())) / 2**20:.1f} MiB, to {out}")
    missing = {
        "scores (--report)": made.evaluated,
        "its data (--clips)": made.described,
        "an example video (--example)": made.example_text,
        "its licence (--license)": license,
        "the licence of its data (--data-license)": data_license,
    }
    lacking = [what for what, there in missing.items() if not there]
    if lacking:
        print(f"The card, README.md, lacks {', '.join(lacking)}.")
    pushed_to = push(client, made.files, push_to_hub, public=public, own=EXTRAS) if client else None
    if pushed_to:
        print(f"Pushed to {pushed_to}")
    following = command("generate", checkpoint=out, image="IMAGE", sound="SOUND", out="video.mp4")
    print(f"Next: {following}")
    return {
        "outputs": {"model": out},
        "next": [following],
        "files": sorted(made.files),
        "lacking": lacking,
        "pushed_to": pushed_to,
    }
