"""What `s2v evaluate` does: scores a model on held-out sources beside its controls, and writes a report."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

import torch

from s2v_ray.config import Config
from s2v_ray.config.load import differing_names
from s2v_ray.dataset.collection import Clips, DataSets, locations, open_clips, places
from s2v_ray.dataset.index import read_dataset
from s2v_ray.errors import UserError
from s2v_ray.evaluation.controls import MISMATCHED_SOUNDS, MODEL, REAL, channels_last, clip_videos, mismatched_sounds
from s2v_ray.evaluation.pretrained import Pretrained, load_pretrained
from s2v_ray.evaluation.real_or_made import Pair, chosen, pair, taken_for_real
from s2v_ray.evaluation.report.examples import choose_examples, write_example
from s2v_ray.evaluation.report.figures import headline_figure
from s2v_ray.evaluation.report.page import HEADLINE, report_page
from s2v_ray.evaluation.report.schema import Counts, Report
from s2v_ray.evaluation.retrieval import read_training_clips
from s2v_ray.evaluation.scores import (
    ClipFeatures,
    ClipScores,
    clip_features,
    interval_score,
    memorisation,
    score_clip,
    score_fvd,
    score_sources,
    summarise,
)
from s2v_ray.evaluation.sync_classifier import sync_classifier_accuracy, train_sync_classifier
from s2v_ray.evaluation.units import moment, score_units
from s2v_ray.recipes.copies import refuse_copies
from s2v_ray.storage.files import list_files, make_folder, write_bytes
from s2v_ray.storage.own_folders import own_names
from s2v_ray.storage.paths import base_name, join, parent, readable
from s2v_ray.tracking.track import Tracking, track_files
from s2v_ray.training.checkpoint import load_model
from s2v_ray.training.checkpoint_files import find_checkpoint
from s2v_ray.training.threads import at_most_threads

# Of a clip: its scores, where it is in its source, its videos to be judged, and what FVD needs.
_Evaluated = tuple[ClipScores, tuple[str, float], Pair | None, ClipFeatures | None]
_MOST_CLIPS_AT_A_TIME = 4  # each holds a dozen videos in memory


def evaluate(
    checkpoint: str,
    clips: DataSets,
    out: str,
    device: torch.device,
    *,
    split: str = "test",
    resampled: DataSets | None = None,
    weights_dir: str | None = None,
    seed: int = 0,
    show: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Evaluate a checkpoint, and write `report.json`, `report.html` and its figures and videos to `out`.

    `resampled` are clips of the same synthetic videos made with another `resample`: one more control; of several data
    sets in `clips`, they are in the same order. `weights_dir` is a folder with the weights of AlexNet (for LPIPS), of
    I3D (for FVD), or of both. `show` is called after each clip with how many of how many are done. Raises UserError for
    clips of other rates than the checkpoint's, if the split is empty, and for data sets of which one holds out a copy
    of what another trains on.
    """
    if seed < 0:
        raise UserError("out_of_range", f"--seed is {seed}, but must be at least 0.")
    location = find_checkpoint(checkpoint)
    model, config, described = load_model(location)
    refuse_copies(clips)
    reader = open_clips(clips, split)
    check_clips_fit(reader, config, checkpoint)
    if not len(reader):
        raise UserError("no_clips", f"'{places(clips)}' has no clips in its split '{split}'; prepare more videos.")
    networks = load_pretrained(weights_dir, device) if weights_dir else Pretrained()
    make_folder(out)
    # If few sources are held out, mismatched sounds come from the others, too: hearing those in training is no help.
    more = open_clips(clips, [name for name in ("val", "train") if name != split])
    resolution = config.data.resolution
    learnt = open_clips(clips, "train")
    as_clips = {"sample_rate": config.clips.sample_rate, "resolution": resolution, "seed": seed}
    training = read_training_clips(learnt, **as_clips)
    model = channels_last(model.to(device))
    references = open_clips(resampled, split) if resampled else ()
    again = {clip.clip_id: clip for clip in (references[index] for index in range(len(references)))}
    scored, features, moments, pairs, judged = [], [], [], [], chosen(len(reader))

    def evaluate_clip(number: int) -> _Evaluated:
        others = mismatched_sounds(reader, more, number, count=MISMATCHED_SOUNDS, seed=seed)
        videos = clip_videos(model, reader, number, others, resolution, resampled=again, training=training)
        trained = classifying.result()
        scores = score_clip(videos, sync_classifier=trained, lpips=networks.lpips, training=training)
        both = pair(number, videos.clip.source, videos.model, videos.real) if number in judged else None
        return scores, moment(videos.clip), both, clip_features(videos, networks.i3d) if networks.i3d else None

    # A clip a thread is faster than all threads on one clip, whose operations are small.
    at_a_time = min(torch.get_num_threads(), _MOST_CLIPS_AT_A_TIME) if device.type == "cpu" else 1
    threads = ThreadPoolExecutor(at_a_time, thread_name_prefix="evaluating")
    with at_most_threads(1):
        try:
            classifying = threads.submit(train_sync_classifier, learnt, **as_clips)
            for scores, when, both, seen in threads.map(evaluate_clip, range(len(reader))):
                scored.append(scores)
                moments.append(when)
                pairs += [both] if both else []
                features += [seen] if seen else []
                show(len(scored), len(reader))
            classifier, shares = classifying.result(), taken_for_real(pairs, seed)
        finally:
            threads.shutdown(cancel_futures=True)
    for number, (made, real) in shares.items():
        scored[number].scores[MODEL]["taken_for_real"] = made
        scored[number].scores[REAL]["taken_for_real"] = real
    units = score_units(moments, float(reader.settings.seconds))
    by_unit = [replace(clip, source=unit) for clip, unit in zip(scored, units.names, strict=True)]
    sources = score_sources(by_unit)
    trained_on_these = described["clips"] == learnt.fingerprint
    accuracy = classifier and sync_classifier_accuracy(classifier, reader, more, resolution=resolution, seed=seed)
    examples = choose_examples(scored)
    report = Report(
        checkpoint=location,
        step=described["step"],
        clips=places(clips),
        split=split,
        seed=seed,
        counts=Counts(sources=len(set(reader.sources)), clips=len(scored)),
        sync_classifier_accuracy=interval_score(list(accuracy.values()), seed) if accuracy else None,
        examples={name: scored[number] for name, number in examples.items()},
        not_measured=networks.missing,
        scores=summarise(sources, seed) | ({"fvd": score_fvd(features)} if features else {}),
        sources=sources,
        config=config,
        held_out=" and ".join(sorted({read_dataset(location).held_out for location in locations(clips)})),
        units=units.kind,
        memorisation=memorisation(by_unit, seed) if trained_on_these else None,
        data_sets=_counts_by_data_set(reader, clips),
    )
    write_bytes(join(out, "report.json"), report.to_json().encode())
    for name, number in examples.items():
        others = mismatched_sounds(reader, more, number, count=1, seed=seed)
        videos = clip_videos(model, reader, number, others, resolution, shifted=False)
        write_example(out, name, videos, others[0] if others else None)
    headline_figure(join(out, HEADLINE), report)
    write_bytes(join(out, "report.html"), readable(report_page(report, out)).encode())
    return report


def _counts_by_data_set(reader: Clips, clips: DataSets) -> dict[str, Counts]:
    """How much was scored of each of several data sets; empty for one."""
    found, counts = locations(clips), {}
    if len(found) == 1:
        return {}
    first = 0
    for location, count in zip(found, reader.counts, strict=True):
        counts[location] = Counts(len(set(reader.sources[first : first + count])), count)
        first += count
    return counts


def tracked_run(checkpoint: str) -> str:
    """The run directory of a checkpoint, whose `trackers.json` says where it is tracked.

    Raises UserError `not_tracked` for an exported model.
    """
    folder = parent(find_checkpoint(checkpoint))
    if base_name(folder) != "checkpoints":
        rule = "is in no run's folder, so that nothing says where it is tracked; give the run, or leave --track out"
        raise UserError("not_tracked", f"--track: '{checkpoint}' {rule}.")
    return parent(folder)


def track_report(tracking: Tracking, checkpoint: str, report: Report, out: str, tell: Callable[[str], None]) -> None:
    """Add a report that `evaluate` wrote to `out` to its run's entries, and the model's scores as `SPLIT/METRIC`."""
    scores = {f"{report.split}/{name}": score.mean for name, by in report.scores.items() if (score := by.get(MODEL))}
    names = sorted(own_names(list_files(out)))
    kind = f"report/{base_name(out)}"
    track_files(tracking, tracked_run(checkpoint), kind, out, names, tell, scores=(report.step, scores))


def check_clips_fit(reader: Clips, config: Config, checkpoint: str) -> None:
    """Raise UserError if the clips have other rates than those the checkpoint was trained on."""
    ours, theirs = asdict(config.clips), asdict(reader.settings.clip_config())
    del ours["frames"], theirs["frames"]  # a model generates any number
    if names := differing_names(ours, theirs):
        differences = ", ".join(f"{name} {theirs[name]} instead of {ours[name]}" for name in names)
        clips = f"The clips in '{reader.location}' don't fit the checkpoint '{checkpoint}'"
        raise UserError("wrong_settings", f"{clips}: {differences}; prepare them with its settings.")
