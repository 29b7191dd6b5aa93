"""`s2v synth`."""

from typing import Annotated

import tyro

from s2v_ray.cli.flags import Location
from s2v_ray.cli.next_command import command
from s2v_ray.cli.progress import ProgressBar
from s2v_ray.cli.result import Result
from s2v_ray.storage.own_folders import check_output_folder
from s2v_ray.synthetic.nuisance.levels import Level


def synth(
    *,
    domain: str,
    out: Location,
    sources: int = 100,
    seed: int = 0,
    resample: Annotated[int, tyro.conf.arg(aliases=["--redraw"])] = 0,
    nuisance: Level = "off",
    seconds: float = 6.0,
    size: int = 96,
) -> Result:
    """Make synthetic videos with sound, to try everything without videos of your own.

    Args:
        domain: fireworks, sea, mouth or hand.
        out: the folder for the videos.
        sources: how many videos to make.
        seed: another seed makes other videos.
        resample: another number changes only what neither image nor sound determines, such as where sparks fly.
        nuisance: what real recordings hold beside that: a person who sways, a hand-held camera, a branch in the wind,
            changing light, noise, echoes and distant sounds.
        seconds: how long each video lasts.
        size: height and width in pixels, an even number.
    """
    from s2v_ray.synthetic.scenes import SCENES
    from s2v_ray.synthetic.write import synthesize

    check_output_folder(out, "--out", own=[f"{each}_[0-9][0-9][0-9][0-9]*.mp4" for each in SCENES])
    with ProgressBar("making videos") as show:
        paths = synthesize(
            domain,
            out,
            sources=sources,
            seed=seed,
            resample=resample,
            nuisance=nuisance,
            seconds=seconds,
            size=size,
            on_source=lambda number: show((number + 1) / sources, f"{number + 1} of {sources}"),
        )
    print(f"Wrote {len(paths)} videos to {out}")
    following = command("prepare", videos=out, domain=domain, out=f"clips/{domain}")
    print(f"Next: {following}")
    return {"outputs": {"videos": out}, "next": [following], "domain": domain, "videos": len(paths)}
