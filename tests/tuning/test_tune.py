"""Sweeps: the space, the objective, the report; and, through Ray, that they resume."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
import urllib.request
from dataclasses import replace
from pathlib import Path

import optuna
import pyarrow.parquet as pq
import pytest
import torch
from helpers.scripting import answer_of, documented
from helpers.small import small_config
from helpers.waiting import wait_until
from helpers.weights import weights
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState, create_trial

from s2v_ray.cli.main import main
from s2v_ray.config import Config, load_config, with_settings
from s2v_ray.errors import UserError
from s2v_ray.recipes.train import PreparedClips, job_on
from s2v_ray.recipes.tune import SweepJob, fit_to_budget, measure_trial, open_sweep, plan_sweep, train_to_rungs
from s2v_ray.training.run import open_run
from s2v_ray.training.schedule import config_budget
from s2v_ray.training.workers import ALONE
from s2v_ray.tuning.budget import TrialCost, choose_trials
from s2v_ray.tuning.figures import front
from s2v_ray.tuning.journal import open_journal, sweep_location
from s2v_ray.tuning.objective import Floors, floors_beside, objective_values
from s2v_ray.tuning.plan import DomainSweep, SweepDescription, describe, keep_description, rungs_of
from s2v_ray.tuning.report import write_report
from s2v_ray.tuning.search import DomainSearch
from s2v_ray.tuning.space import default_space, get_setting, is_within, load_space
from s2v_ray.tuning.trials import best_settings, best_trial, read_floors, read_trials
from s2v_ray.tuning.verdict import chance_of, verdict_of

NEVER = float("inf")


@pytest.mark.parametrize(
    ("text", "code", "named"),
    [
        ("[loss]\nadversarial_imag_weight = { low = 1, high = 2 }", "", "adversarial_image_weight"),
        ("[los]\nx = 1", "", "'loss'"),
        ("[optim]\ngenerator_lr = { low = 1e-2, high = 1e-4 }", "wrong_range", "optim.generator_lr goes from 0.01"),
        ("[optim]\ngenerator_lr = { low = 0, high = 1e-4, log = true }", "wrong_range", "log scale"),
        ("[optim]\nbeta1 = { low = 0.1, high = 1.5 }", "", "optim.beta1 is 1.5"),
        ("[data]\nframes_per_step = { low = 1.5, high = 3 }", "", "data.frames_per_step is 1.5"),
        ('[generator]\noutput = { choices = ["tanh", "sin"] }', "", "generator.output is 'sin'"),
        ("[optim]\ngenerator_lr = { lo = 1, high = 2 }", "wrong_range", "optim.generator_lr"),
        ("[training]\nminutes = 3", "fixed_setting", "--minutes"),
        ("[clips]\nframes = { low = 3, high = 5 }", "fixed_setting", "clips.frames"),
        ("[optim]\nbeta1 = [", "not_toml", "space.toml"),
    ],
)
def test_a_wrong_space_is_refused_by_name(tmp_path, text, code, named):
    path = tmp_path / "space.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=re.escape(named)) as refused:
        load_space(str(path), load_config("tiny"))
    assert code in refused.value.code  # "" is for codes of other packages


def test_a_space_file_adds_changes_and_fixes(tmp_path):
    path = tmp_path / "space.toml"
    path.write_text(
        "[optim]\nbeta1 = 0.7\ngenerator_lr = { low = 1e-4, high = 1e-3 }\n"
        "[data]\nframes_per_step = { low = 5, high = 20 }\n[generator]\nfilm_levels = { choices = [1, 3] }"
    )
    space = load_space(str(path), load_config("tiny"))
    assert space.fixed == {"optim.beta1": 0.7}
    assert space.searched["optim.generator_lr"] == FloatDistribution(1e-4, 1e-3)
    assert space.searched["data.frames_per_step"] == IntDistribution(5, 20)
    assert space.searched["generator.film_levels"] == CategoricalDistribution((1, 3))
    assert space.searched.keys() - default_space(Config()).searched.keys() == {
        "data.frames_per_step",
        "generator.film_levels",
    }


def test_the_default_space_lies_about_the_preset_and_no_adversarial_loss_outside():
    for preset in ("tiny", "paper"):
        space = default_space(load_config(preset))
        settings = {name: get_setting(load_config(preset), name) for name in space.searched}
        assert is_within(space, settings)
        assert not is_within(space, settings | {"loss.adversarial_image_weight": 0.0})


def scores(explained: float, sharpness: float, error: float) -> dict[str, float]:
    return {
        "motion_explained": explained,
        "matched_minus_mismatched": 0.5,
        "sharpness": sharpness,
        "appearance_error": error,
    }


def test_blur_does_not_pay():
    floors = Floors(sharpness=-0.5, appearance_error=0.02)
    sharp, blurred = scores(0.4, -0.4, 0.02), scores(0.6, -0.75, 0.02)
    assert objective_values(sharp, floors)["score"] == pytest.approx(0.4 + 0.5)
    # A quarter of an octave below the floor, at four an octave.
    assert objective_values(blurred, floors)["score"] == pytest.approx(0.6 + 0.5 - 1)
    assert objective_values(blurred, None)["score"] == objective_values(blurred, floors)["sync"] == pytest.approx(1.1)
    # Twice the error is an octave, which would cost four: the most is two.
    assert objective_values(scores(0.4, 0, 0.04), floors)["score"] == pytest.approx(0.9 - 2)
    # 0.4 octaves of sharpness are missing, and 2 % of error are an octave above one percent.
    assert objective_values(sharp, floors)["appearance"] == pytest.approx(-0.4 - 1)


def test_the_preset_lies_above_its_own_floors():
    preset = scores(0.4, -0.3, 0.016)
    assert objective_values(preset, floors_beside(preset))["score"] == pytest.approx(0.9)
    assert objective_values(scores(0.4, -0.6, 0.016), floors_beside(preset))["score"] < 0.9


def test_chance_counts_the_ways_to_divide_the_scores():
    assert chance_of([3, 4, 5], [0, 1, 2]) == pytest.approx(1 / 20)
    assert chance_of([2, 4, 5], [0, 1, 3]) == pytest.approx(2 / 20)
    assert chance_of([1.0], [0.0]) == 0.5
    assert chance_of([1, 1, 1], [1, 1, 1]) == 1


def test_the_front_holds_what_nothing_beats_in_both():
    assert front([(0, 3), (1, 1), (2, 2), (3, 0), (0, 2)]) == [(0, 3), (2, 2), (3, 0)]


def sea_sweep(out: Path) -> DomainSweep:
    return DomainSweep(
        domain="sea",
        clips="clips",
        fingerprint="1",
        location=sweep_location(out),
        preset_config=load_config("tiny"),
        config=load_config("tiny"),
        space=default_space(Config()),
        objectives=("score",),
        trials=6,
        repeats=3,
        rungs=(1.0,),
    )


def test_a_sweep_keeps_to_its_description_and_domains_may_join(tmp_path):
    sea = sea_sweep(tmp_path)
    keep_description(str(tmp_path), describe((sea,)))
    lake = replace(sea, domain="lake", fingerprint="2")
    keep_description(str(tmp_path), describe((lake,)))
    stored = SweepDescription.from_json((tmp_path / "sweep.json").read_text(), "sweep.json")
    assert stored == replace(describe((sea,)), clips={"sea": "1", "lake": "2"})
    with pytest.raises(UserError, match=r"clips\.sea, objectives") as refused:
        keep_description(str(tmp_path), describe((replace(sea, fingerprint="3", objectives=("sync",)),)))
    assert refused.value.code == "wrong_settings"


def journal(folder: Path, winner: float) -> optuna.Study:
    """A sweep of one domain: preset, control, a trial that failed, one that was stopped, and the best one."""
    storage = JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    space = default_space(Config())
    preset = {name: get_setting(Config(), name) for name in space.searched}

    def add(study: optuna.Study, state: TrialState, explained: float, **attributes: object) -> None:
        attributes = {"metrics": scores(explained, -0.3, 0.01), "seconds": 9.0, **attributes}
        value = explained + 0.5 if state in (TrialState.COMPLETE, TrialState.PRUNED) else None
        settings = {} if attributes.get("kind") == "control" else preset
        distributions = {name: space.searched[name] for name in settings}
        study.add_trial(
            create_trial(state=state, value=value, params=settings, distributions=distributions, user_attrs=attributes)
        )

    study = optuna.create_study(study_name="sea", storage=storage, direction="maximize")
    add(study, TrialState.COMPLETE, 0.3, kind="preset")
    add(study, TrialState.COMPLETE, 0.9, kind="control", settings=dict.fromkeys(preset, 0.0))
    add(study, TrialState.FAIL, 0.0, failure="<b>loss/generator is not finite</b>", metrics={})
    add(study, TrialState.PRUNED, 0.8)
    add(study, TrialState.COMPLETE, 0.5)
    add(study, TrialState.COMPLETE, 0.4)
    repeats = optuna.create_study(study_name="sea repeats", storage=storage, direction="maximize")
    for seed in (1, 2, 3):
        add(repeats, TrialState.COMPLETE, 0.3 + seed / 100, kind="preset", settings=preset)
        add(repeats, TrialState.COMPLETE, winner + seed / 100, kind="winner", settings=preset)
    return study


def test_a_journal_of_0_1_is_read_with_its_old_metric_names(tmp_path):
    study = optuna.create_study(study_name="sea", storage=JournalStorage(JournalFileBackend(f"{tmp_path}/journal.log")))
    old = {
        "right_minus_wrong" if name == "matched_minus_mismatched" else name: value
        for name, value in scores(0.3, -0.3, 0.01).items()
    }
    study.add_trial(create_trial(state=TrialState.COMPLETE, value=0.8, user_attrs={"kind": "preset", "metrics": old}))
    (trial,) = read_trials(study, read_floors(study))
    assert trial.metrics == scores(0.3, -0.3, 0.01)
    assert trial.score == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("winner", "sentence"), [(0.5, "A gain outside the noise"), (0.31, "nothing outside the noise")]
)
def test_a_gain_counts_only_outside_the_noise(tmp_path, winner, sentence):
    study = journal(tmp_path, winner)
    repeats = optuna.load_study(study_name="sea repeats", storage=open_journal(sweep_location(str(tmp_path))))
    is_gain, verdict = verdict_of(read_trials(study, None), read_trials(repeats, None))
    assert sentence in verdict
    assert is_gain == (winner == 0.5)


def test_the_report_says_what_was_found(tmp_path):
    study, sentence = journal(tmp_path, 0.5), "A gain outside the noise"
    best = best_trial(read_trials(study, None))
    assert best is not None
    assert best.number == 4  # neither the control nor what was stopped early
    (finding,) = write_report([sea_sweep(tmp_path)])
    assert sentence in finding.verdict
    assert finding.is_gain
    assert "adversarial losses don't pay here" in finding.verdict
    page = (tmp_path / "report.html").read_text()
    assert sentence in page
    assert "&lt;b&gt;loss/generator is not finite" in page
    assert "http" not in page.replace('http-equiv="Content', "")
    assert set(finding.figures) >= {"history", "slice", "parallel coordinates", "Pareto front"}
    assert load_config(str(tmp_path / "sea" / "best.toml")).loss.adversarial_image_weight == 1.0
    table = pq.read_table(tmp_path / "sea" / "trials.parquet").to_pylist()
    assert [row["state"] for row in table[:5]] == ["complete", "complete", "failed", "stopped early", "complete"]
    assert len(table) == 12
    assert best_settings(tmp_path, "fireworks") == [best.settings]


def test_what_cannot_be_done_is_refused_before_anything_is_written(small_clips, small_model, tmp_path, capsys):
    command = ["tune", "--config", str(small_model), "--out", str(tmp_path / "sweep"), "--clips", str(small_clips)]
    assert main([*command, "--warm-start", str(tmp_path / "none")]) == 1
    assert str(tmp_path / "none") in capsys.readouterr().err
    assert main([*command, "--trials", "2"]) == 1
    assert "--trials is 2, but must be at least 3" in capsys.readouterr().err
    assert main([*command, str(small_clips)]) == 1
    assert f"--clips names '{small_clips}' twice" in capsys.readouterr().err
    assert not (tmp_path / "sweep").exists()


class Clock:
    """The time, as seconds since 1970, for a search that must end in time."""

    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def result(percent: float, score: float) -> dict[str, float]:
    metrics = {f"metrics/{name}": value for name, value in scores(score, -0.3, 0.01).items()}
    return {"percent": percent, "score": score, "sync": score, "appearance": -score, "seconds": 3.0, **metrics}


@pytest.mark.parametrize("objectives", [("score",), ("sync", "appearance")])
def test_what_is_recorded_in_optuna(tmp_path, objectives):
    sweep = replace(sea_sweep(tmp_path), objectives=objectives, repeats=1)
    search = DomainSearch(sweep, at_once=9)
    preset, control = search.ask(), search.ask()
    assert search.ask() is None  # the preset's metrics are the others' floors
    assert search.parameters(preset)["settings"] == sweep.preset
    assert search.parameters(control)["settings"]["loss.adversarial_image_weight"] == 0
    assert search.parameters(control)["rungs"] == (1.0,)
    search.finish(control, result(100, 0.6))
    search.finish(preset, result(100, 0.7))
    good, poor, failed, interrupted = (search.ask() for _ in range(4))
    assert [search.ask(), search.running] == [None, 4]  # six trials in all
    settings = search.parameters(interrupted)["settings"]
    assert is_within(sweep.space, settings)
    search.record(good, result(65, 0.5))
    search.record(poor, result(65, 0.1))
    search.finish(poor, result(65, 0.1))
    search.finish(failed, None, failure="trial 4 diverged")
    search.finish(good, result(100, 0.9))
    search.finish(interrupted, {"unfinished": 1.0})  # its time was up

    again = DomainSearch(sweep, at_once=9)  # after a kill
    resumed = again.ask()
    assert (resumed.number, again.parameters(resumed)["settings"]) == (interrupted.number, settings)
    assert again.ask() is None
    again.finish(resumed, result(100, 0.4))
    repeats = [again.ask(), again.ask()]
    assert [again.parameters(trial)["kind"] for trial in repeats] == ["preset", "winner"]
    assert again.parameters(repeats[1])["settings"]["training.seed"] == 1
    assert again.ask() is None

    trials = optuna.load_study(study_name="sea", storage=JournalStorage(JournalFileBackend(f"{tmp_path}/journal.log")))
    states = [trial.state for trial in trials.trials]
    assert [state.name for state in states] == ["COMPLETE", "COMPLETE", "COMPLETE", "PRUNED", "FAIL", "COMPLETE"]
    assert trials.trials[0].values == ([0.7 + 0.5] if objectives == ("score",) else pytest.approx([1.2, -0.3]))
    assert trials.trials[4].user_attrs["failure"] == "trial 4 diverged"
    assert [trial.kind for trial in read_trials(trials, None)][:3] == ["preset", "control", "search"]


def test_a_trial_is_stopped_where_half_of_those_that_came_as_far_are_better_also_after_a_restart(tmp_path):
    sweep = replace(sea_sweep(tmp_path), trials=9)
    search = DomainSearch(sweep, at_once=9)
    for score in (0.9, 0.9):  # preset and control don't count
        search.finish(search.ask(), result(100, score))

    def stops(search: DomainSearch, score: float) -> bool:
        trial = search.ask()
        search.record(trial, result(65, score))
        return search.is_poor(trial, result(65, score))

    # The marks are the medians of 0.3, of 0.3 and 0.2, and so on: 0.3, 0.25, 0.3, 0.3.
    assert [stops(search, score) for score in (0.3, 0.2, 0.4)] == [False, True, False]
    again = DomainSearch(sweep, at_once=9)
    assert [again.ask().number for _ in range(3)] == [2, 3, 4]
    assert [stops(again, score) for score in (0.29, 0.3)] == [True, False]


def test_no_trial_starts_that_cannot_finish_in_time(tmp_path):
    # Of 100 seconds, preset, control and the first to be searched take 10 each, and the four repeats are kept 4 x 11:
    # at 30 seconds, 11 + 44 fit; at 40, too; at 50 they don't, and two repeats wait for more time.
    clock = Clock()
    sweep = replace(sea_sweep(tmp_path), trials=99, repeats=2, deadline=1100.0, trial_seconds=10.0)
    search, kinds = DomainSearch(sweep, at_once=1, clock=clock), []
    while trial := search.ask():
        kinds.append(search.parameters(trial)["kind"])
        clock.seconds += 10
        search.finish(trial, result(100, 0.5 + trial.number / 100))
    assert kinds == ["preset", "control", "search", "search", "search", "preset", "winner", "preset", "winner"]
    assert clock.seconds <= 1100


def test_a_budget_is_divided_into_trials():
    cost, alone = TrialCost(step_seconds=0.5, validation_seconds=2.0), {"at_once": 1, "domains": 1, "repeats": 3}
    # Of 100 minutes 5,970 s are left, for 20 trials and 6 repeats: 229.6 s each, of which 5 are validations and such.
    chosen = choose_trials(6000, cost, **alone)
    assert (chosen.trials, chosen.repeats) == (20, 3)
    assert (chosen.trial_seconds, chosen.seconds) == (pytest.approx(5970 / 26), pytest.approx(5970 / 26 - 5))
    assert "20 trials" in chosen.why
    assert "about 449 steps, each 0.5 s" in chosen.why
    # 1,830 s for 300 steps of 0.5 s, 155 s with the rest: 11 fit, one too few for 4 to be searched and 6 repeats.
    chosen = choose_trials(1860, cost, **alone)
    assert (chosen.trials, chosen.repeats, chosen.seconds) == (11, 0, 150)
    # Half an hour each is enough: 1,805 s go 47 times into a day less 30 s, six of which are repeats.
    chosen = choose_trials(86400, cost, **alone)
    assert (chosen.trials, chosen.repeats, chosen.seconds) == (41, 3, 1800)
    # Four at once: a round for preset and control, two for the repeats, and the rest of 8 for 20 to be searched.
    chosen = choose_trials(6000, cost, **alone | {"at_once": 4})
    assert (chosen.trials, chosen.trial_seconds) == (22, pytest.approx(5970 / 8))
    # A length that is given: 5,955 s, half of them for each of two domains, are 28 trials of 105 s.
    chosen = choose_trials(6000, cost, **alone | {"domains": 2}, steps=200)
    assert (chosen.trials, chosen.repeats, chosen.seconds) == (22, 3, None)
    with pytest.raises(UserError, match="take 9 here") as refused:  # 3 x 155 + 30 s
        choose_trials(300, cost, **alone)
    assert refused.value.code == "too_little_time"


def test_no_trial_is_stopped_before_the_discriminators_have_acted():
    # Of 1,000 steps they act in 501 to 1,000: three tenths of these are 150, six tenths 300.
    config = with_settings(load_config("tiny"), {"training.steps": 1000, "loss.discriminator_start": 0.5})
    assert [config_budget(config).part(rung).steps for rung in rungs_of(config)] == [650, 800, 1000]
    # Short trials are compared once, half way through that part: of 400 steps, after 100 of the last 200.
    short = with_settings(config, {"training.steps": 400})
    assert [config_budget(short).part(rung).steps for rung in rungs_of(short)] == [300, 400]
    # With discriminators from the start, as in the paper, 300 of 1,000 steps; without any, nothing is compared.
    for start, rungs in ((0.0, (0.3, 0.6, 1.0)), (0.8, (0.86, 0.92, 1.0)), (1.0, (1.0,))):
        assert rungs_of(with_settings(config, {"loss.discriminator_start": start})) == rungs


def test_a_trial_reports_at_its_rungs_and_resumes(small_clips, tmp_path):
    config = small_config(small_clips, training__steps=8, training__validate_every_steps=10**9)
    reports: list[dict[str, float]] = []

    def train(config: Config, name: str, rungs: tuple[float, ...], deadline: float = NEVER) -> None:
        run = str(tmp_path / name)
        open_run(run, config)
        job = job_on(PreparedClips(str(small_clips)), config, run)
        train_to_rungs(job, rungs, deadline, ALONE, lambda location, values: reports.append(values), lambda: False)

    train(config, "run", (0.5,), deadline=0)
    assert reports == [{"unfinished": 1.0}]  # its time was up after a step, which is kept
    assert (tmp_path / "run" / "checkpoints" / "step_00000001").exists()
    reports.clear()
    train(config, "run", (0.5,))
    train(config, "run", (0.5, 1.0))  # in another process: the first half is not trained again
    assert [(report["percent"], report["steps"]) for report in reports] == [(50, 4), (50, 4), (100, 8)]
    steps = [json.loads(line)["step"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert sorted(set(steps)) == [1, 4, 8]

    # By the clock, both halves are trained, however long the validation between them took.
    config = small_config(small_clips, training__minutes=0.02, training__steps=10**6)
    reports.clear()
    train(config, "timed", (0.5, 1.0))
    assert reports[1]["steps"] > reports[0]["steps"]
    assert [report["seconds"] for report in reports] == pytest.approx([0.6, 1.2])


def test_trials_with_and_without_rungs_are_trained_alike(small_clips, tmp_path):
    from s2v_ray.recipes.train import PreparedClips, job_on
    from s2v_ray.recipes.tune import train_to_rungs
    from s2v_ray.training.workers import ALONE

    settings = {"training__steps": 8, "training__validate_every_steps": 10**9, "loss__discriminator_start": 0.5}
    config = small_config(small_clips, **settings)
    for name, rungs in (("search", (0.25, 0.5, 1.0)), ("preset", (1.0,))):
        job = job_on(PreparedClips(str(small_clips)), config, str(tmp_path / name))
        train_to_rungs(job, rungs, NEVER, ALONE, lambda location, values: None, lambda: False)
        lines = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        with_discriminators = [line["step"] for line in lines if "loss/image_discriminator" in line]
        assert with_discriminators == [8]  # steps 5 to 8; at 2 and 4 there were none
    ours, theirs = (weights(tmp_path / name) for name in ("search", "preset"))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture(scope="module")
def two_domains(small_clips, tmp_path_factory) -> list[str]:
    """The same clips with two domain names."""
    folder = tmp_path_factory.mktemp("domains")
    for domain in ("sea", "lake"):
        shutil.copytree(small_clips, folder / domain)
        described = json.loads((folder / domain / "dataset.json").read_text()) | {"domain": domain}
        (folder / domain / "dataset.json").write_text(json.dumps(described))
    return [str(folder / domain) for domain in ("sea", "lake")]


def test_data_sets_of_one_domain_are_searched_together(two_domains, small_model, tmp_path):
    sea, lake = two_domains
    config = with_settings(load_config(str(small_model)), {"training.clip_weights": (1, 2, 3)})
    more = str(shutil.copytree(sea, tmp_path / "more"))
    clips = [sea, lake, more]
    sweep = {"out": str(tmp_path / "sweep"), "trials": 3, "repeats": 0, "time_budget": 10}
    alone = plan_sweep(replace(config, training=Config().training), clips=[sea, lake], **sweep)
    job = plan_sweep(config, clips=clips, **sweep)
    assert job.domains[0].deadline > alone.domains[0].deadline  # two reports to write in either
    assert {sweep.domain: (sweep.clips, sweep.config.training.clip_weights) for sweep in job.domains} == {
        "sea": ((sea, more), (1.0, 3.0)),
        "lake": ((lake,), (2.0,)),
    }


def test_a_sweep_that_fits_a_budget_keeps_what_was_first_chosen(two_domains, small_model, tmp_path):
    costs = [TrialCost(0.01, 0.5), TrialCost(0.02, 0.5)]  # the slower domain's counts
    config, out = load_config(str(small_model)), str(tmp_path / "sweep")

    def fitted(costs: list[TrialCost]) -> SweepJob:
        job = plan_sweep(config, clips=two_domains, out=out, trials=None, repeats=1, time_budget=10)
        return fit_to_budget(job, 600.0, lambda job: (2, costs), steps=None, minutes=None)

    first = fitted(costs)
    # Of 600 s, 15 are for the start and 15 for each report. The rest is for 20 trials of a domain and 2 repeats, one
    # at a time, each with two validations and a second between.
    assert first.choice.trials == 20
    assert first.choice.seconds == pytest.approx((600 - 45) / (2 + 18 + 2) - 2, abs=0.1)
    for sweep in first.domains:
        assert (sweep.trials, sweep.repeats) == (20, 1)
        assert 60 * sweep.config.training.minutes == pytest.approx(first.choice.seconds)
    with open_sweep(first):
        pass
    again = fitted([])  # is not measured again: it would choose other lengths
    assert again.choice == first.choice
    with open_sweep(again):  # the settings are those that it was started with
        pass
    (tmp_path / "sweep" / "budget.json").write_text('{"trials": "many"}')
    with pytest.raises(UserError, match=r"budget.json") as caught:
        fitted(costs)
    assert caught.value.code == "damaged_sweep"


def test_what_a_trial_costs_is_measured_with_nothing_written(small_clips, small_model, tmp_path):
    job = plan_sweep(
        load_config(str(small_model)), clips=[str(small_clips)], out=str(tmp_path / "sweep"), trials=3, repeats=0
    )
    cost = measure_trial(job.domains[0])
    assert cost.step_seconds > 0
    assert cost.validation_seconds > 0
    assert not list(tmp_path.iterdir())


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_two_domains_at_once_with_a_trial_that_fails(two_domains, small_model, tmp_path, capsys):
    space = tmp_path / "space.toml"
    space.write_text("[optim]\ngenerator_lr = { low = 1e29, high = 1e30 }")  # makes weights infinite at once
    out = tmp_path / "sweep"
    command = ["tune", "--clips", *two_domains, "--out", str(out), "--config", str(small_model), "--space", str(space)]
    command += ["--trials", "3", "--steps", "4", "--repeats", "0"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    for domain in ("sea", "lake"):
        trials = pq.read_table(out / domain / "trials.parquet").to_pylist()
        assert [trial["kind"] for trial in trials] == ["preset", "control", "search"]
        assert [trial["state"] for trial in trials] == ["complete", "complete", "failed"]
        assert "is not finite at step" in trials[2]["failure"]
        assert load_config(str(out / domain / "best.toml")).optim.generator_lr == 1e-3
        kept = [path for path in (out / domain / "trials").iterdir() if (path / "checkpoints").exists()]
        assert len(kept) == 1
        assert f"{domain} trial 0 (preset) complete" in printed
    before = [pq.read_table(out / domain / "trials.parquet") for domain in ("sea", "lake")]
    assert main([*command, "--json"]) == 0  # nothing is left to do
    answer = answer_of(capsys.readouterr().out)
    told = set(answer) | set(answer["domains"]["sea"]) | set(answer["domains"]["sea"]["best"])
    assert told == documented("tune")[0]
    assert answer["outputs"]["lake"] == answer["domains"]["lake"]["best"]["config"] == str(out / "lake" / "best.toml")
    assert answer["domains"]["sea"]["trials"] == 3
    assert [pq.read_table(out / domain / "trials.parquet") for domain in ("sea", "lake")] == before
    assert main([*command, "--seed", "1"]) == 1
    assert "other settings (config.training.seed)" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.ray
def test_a_sweep_resumes_after_a_kill_without_losing_or_repeating_a_trial(small_clips, small_model, tmp_path):
    out = tmp_path / "sweep"
    command = [sys.executable, "-m", "s2v_ray", "tune", "--clips", str(small_clips), "--out", str(out)]
    command += ["--config", str(small_model), "--trials", "5", "--steps", "30", "--repeats", "1"]
    domain = json.loads((small_clips / "dataset.json").read_text())["domain"]

    def finished() -> list[optuna.trial.FrozenTrial]:
        storage = JournalStorage(JournalFileBackend(str(out / "journal.log")))
        trials = optuna.load_study(study_name=domain, storage=storage).trials
        return [trial for trial in trials if trial.state.is_finished()]

    with (tmp_path / "log").open("w") as log:
        sweep = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def half_way() -> bool:
        assert sweep.poll() is None, (tmp_path / "log").read_text()
        started = (out / "journal.log").exists() and f'"study_name":"{domain}"' in (out / "journal.log").read_text()
        return started and len(finished()) >= 2

    wait_until(half_way, "two trials", seconds=400)
    os.kill(sweep.pid, signal.SIGKILL)
    sweep.wait()
    before = {trial.number: (trial.datetime_complete, trial.values) for trial in finished()}
    assert 2 <= len(before) < 5
    subprocess.run(command, check=True, timeout=900, capture_output=True)
    after = {trial.number: (trial.datetime_complete, trial.values) for trial in finished()}
    assert sorted(after) == [0, 1, 2, 3, 4]
    assert before.items() <= after.items()
    assert tomllib.loads((out / domain / "best.toml").read_text())["training"]["steps"] == 100_000


@pytest.mark.slow
def test_optuna_dashboard_opens_the_journal(tmp_path):
    program = shutil.which("optuna-dashboard", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if program is None:
        pytest.skip("optuna-dashboard is not installed")
    journal(tmp_path, 0.5)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = ["--host", "127.0.0.1", "--port", str(port)]
    dashboard = subprocess.Popen([program, str(tmp_path / "journal.log"), *address])
    try:
        url = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/api/studies"):
                return True
            return False

        wait_until(answers, "the dashboard", seconds=60)
        studies = json.load(urllib.request.urlopen(f"{url}/api/studies"))
        assert {study["study_name"] for study in studies["study_summaries"]} == {"sea", "sea repeats"}
        assert b"<title>" in urllib.request.urlopen(f"{url}/dashboard").read()
    finally:
        dashboard.kill()
        dashboard.wait()
