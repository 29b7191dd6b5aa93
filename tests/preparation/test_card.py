"""The data card says what it was given."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s2v_ray.dataset.index import Counts, DatasetInfo
from s2v_ray.dataset.records import Reject, SourceRecord
from s2v_ray.dataset.settings import clip_settings
from s2v_ray.preparation.report.card import write_card


def counts(sources: int, clips: int) -> Counts:
    return Counts(sources, clips, seconds=4.0 * clips, frames=120 * clips)


INFO = DatasetInfo(
    complete=True,
    domain="fireworks",
    settings=clip_settings(),
    split_by="source",
    held_out="unseen videos",
    planned_splits={},
    counts=counts(3, 1208),
    split_counts={"train": counts(2, 1200), "val": counts(0, 0), "test": counts(1, 8)},
    rejected={"too_short": 2, "no_audio": 1},
)


def record(source: str, clips: int, *rejected: str) -> SourceRecord:
    rejects = (Reject(source, None, *rejected),) if rejected else ()
    return SourceRecord(source, source, (), "train", split_is_given=False, clips=clips, rejects=rejects)


RECORDS = [
    record("a.mp4", 600),
    record("b.mp4", 600, "no_audio", "A | bar\nand a line."),
    record("c.mp4", 8),
    record("d.mp4", 0, "too_short", "It lasts 1 s."),
    record("e.mp4", 0, "too_short", "It lasts 2 s."),
]


def rows(folder: Path) -> list[str]:
    return (folder / "card.md").read_text().splitlines()


def test_counts_settings_and_rejects_are_those_given(tmp_path: Path) -> None:
    write_card(tmp_path, INFO, records=RECORDS, columns={})
    card = rows(tmp_path)
    assert card[0] == "# fireworks"
    assert "| train | 2 | 1,200 | 4,800 | 144,000 |" in card
    assert "| val | 0 | 0 | 0 | 0 |" in card
    assert "| all | 3 | 1,208 | 4,832 | 144,960 |" in card
    assert "**No clips in val.**" in card
    assert "| sample_rate | 44100 |" in card
    assert "| too_short | 2 | d.mp4 | It lasts 1 s. |" in card
    assert r"| no_audio | 1 | b.mp4 | A \| bar and a line. |" in card


def test_columns_are_summed_up_without_what_is_undefined(tmp_path: Path) -> None:
    lags = [*range(101), float("nan"), float("nan")]
    write_card(tmp_path, INFO, records=RECORDS, columns={"lag_frames": lags, "motion": [float("nan")]})
    card = rows(tmp_path)
    assert "| lag of the sound, frames | 5 | 50 | 95 | 2 |" in card
    assert "| motion | – | – | – | 1 |" in card


def test_example_clips_are_on_the_picture(tmp_path: Path) -> None:
    examples = [np.full((72, 72, 3), (255, 0, 250), np.uint8)] * 3
    write_card(tmp_path, INFO, records=RECORDS, columns={"motion": [1.0, 2.0]}, examples=examples)
    pixels = np.asarray(Image.open(tmp_path / "card.png").convert("RGB"))
    columns = (pixels == (255, 0, 250)).all(-1).any(axis=0)
    assert np.count_nonzero(np.diff(columns.astype(int)) == 1) == 3


def test_an_empty_data_set_has_a_card(tmp_path: Path) -> None:
    empty = replace(INFO, counts=counts(0, 0), split_counts={"train": counts(0, 0)}, rejected={})
    write_card(tmp_path, empty, records=[], columns={})
    assert "Nothing." in rows(tmp_path)
    assert (tmp_path / "card.png").exists()


def test_nothing_is_left_of_a_card_that_fails(tmp_path: Path) -> None:
    with pytest.raises((TypeError, ValueError)):
        write_card(tmp_path, INFO, records=RECORDS, columns={}, examples=[np.zeros((4, 4, 7), np.uint8)])
    assert list(tmp_path.iterdir()) == []
