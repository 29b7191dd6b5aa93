"""What is written of a data set is read back, and is what version 0.1 wrote."""

import json

import pytest

from s2v_ray.dataset.index import DatasetInfo, read_dataset
from s2v_ray.dataset.records import Reject, SourceRecord

# Written by version 0.1.
USED = {
    "source": "a/b.mp4",
    "path": "/videos/a/b.mp4",
    "version": [5, 1704164645000000000],
    "split": "train",
    "split_is_given": False,
    "clips": 3,
    "rejects": [{"source": "a/b.mp4", "start_seconds": 1.5, "reason": "silent", "detail": "It is quiet."}],
    "crop": [0, 8, 40],
    "fingerprint": "0a0b",
    "lag_fixed": 2,
    "first": "a/b.mp4",
}
CENTRED = {**{name: value for name, value in USED.items() if name != "first"}, "crop": None, "rejects": []}
REJECTED = {name: CENTRED[name] for name in list(CENTRED)[:7]} | {"version": [], "split": "", "clips": 0}


@pytest.mark.parametrize("written", [USED, CENTRED, REJECTED])
def test_records_are_those_of_0_1(written):
    record = SourceRecord.from_json(written)
    assert json.dumps(record.to_json()) == json.dumps(written)
    assert all(isinstance(reject, Reject) for reject in record.rejects)


def test_a_data_sets_description_is_read_back(small_clips):
    info = read_dataset(small_clips)
    written = json.loads((small_clips / "dataset.json").read_text())
    assert json.dumps(info.to_json()) == json.dumps(written)
    assert DatasetInfo.from_json(written) == info
    assert info.counts.clips == sum(counts.clips for counts in info.split_counts.values())
