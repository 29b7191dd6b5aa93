"""`s2v demo`: everything, on synthetic videos."""

from pathlib import Path

from s2v_ray.cli.evaluate import evaluate
from s2v_ray.cli.flags import Location
from s2v_ray.cli.generate import generate
from s2v_ray.cli.next_command import command
from s2v_ray.cli.prepare import prepare
from s2v_ray.cli.result import Result
from s2v_ray.cli.synth import synth
from s2v_ray.cli.train import train
from s2v_ray.config import load_config
from s2v_ray.dataset.settings import CENTRE, clip_settings
from s2v_ray.storage.own_folders import check_output_folder
from s2v_ray.synthetic.nuisance.levels import Level

_SOURCES = 100
_NUISANCE: Level = "moderate"
_UNSEEN_SEED_STEP = 1_000_003  # videos of seed + this are in no data set of the demo


def demo(*, domain: str = "fireworks", out: Location = "demo", minutes: float = 3.25, seed: int = 0) -> Result:
    """Make synthetic videos, prepare clips, train, evaluate and generate, on a laptop in about six minutes.

    Args:
        domain: fireworks, sea, mouth or hand.
        out: the folder for everything that is made.
        minutes: how long to train.
        seed: seed for the videos and the training.
    """
    from s2v_ray.synthetic.scenes import SCENES
    from s2v_ray.synthetic.write import synthesize

    home = Path(out) / domain
    made = ("videos", "clips", "run", "report", "unseen", f"{domain}.mp4")
    check_output_folder(str(home), "--out", own=made)
    check_output_folder(out, "--out", own=SCENES)
    videos, clips, run, report = (str(home / name) for name in ("videos", "clips", "run", "report"))
    if len(list(Path(videos).glob("*.mp4"))) < _SOURCES:
        print(f"1. Making {_SOURCES} videos of {domain}")
        synth(domain=domain, out=videos, sources=_SOURCES, seed=seed, nuisance=_NUISANCE)
    print("\n2. Cutting them into clips")
    # What moves fills the frames, and so it does in the unseen image.
    settings = clip_settings(clips_per_source=2, seed=seed, crop=CENTRE)
    prepare(videos=(videos,), out=clips, domain=domain, settings=settings)
    print(f"\n3. Training for {minutes:g} minutes")
    trained = train(clips=(clips,), out=run, config=load_config("tiny"), minutes=minutes, seed=seed)
    print("\n4. Evaluating on held-out videos")
    evaluated = evaluate(checkpoint=run, clips=(clips,), out=report, seed=seed)
    print("\n5. Generating a video from an unseen image and the sound of another video")
    unseen_seed = seed + _UNSEEN_SEED_STEP
    unseen = synthesize(domain, home / "unseen", sources=2, seed=unseen_seed, seconds=8.0, size=360, nuisance=_NUISANCE)
    video = home / f"{domain}.mp4"
    generate(checkpoint=run, image=str(unseen[0]), sound=str(unseen[1]), out=str(video))
    page = command("app", checkpoint=run, clips=clips)
    print(
        f"\nThe video: {video}\nThe report: {report}/report.html\n"
        f"The page: {page}\n\nThe same with your own videos:\n"
        "  s2v prepare  --videos FOLDER --out clips/mine\n"
        "  s2v probe    --clips clips/mine\n"
        "  s2v train    --clips clips/mine --out runs/mine --config tiny\n"
        "  s2v evaluate --checkpoint runs/mine --clips clips/mine --out reports/mine\n"
        "  s2v generate --checkpoint runs/mine --image IMAGE --sound SOUND --out video.mp4"
    )
    return {
        "outputs": {"video": str(video), "report": evaluated["outputs"]["report"], "run": run, "clips": clips},
        "next": [page],
        "domain": domain,
        "steps": trained["steps"],
        "best_score": trained["best_score"],
        "scores": evaluated["scores"],
    }
