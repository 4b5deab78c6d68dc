"""What holds for every format: items can be sent to a worker. Damaged files: tests/faults."""

import pickle

import pytest

from inflate_shrink.data.bad_records import BadRecords
from inflate_shrink.data.region_files import FORMATS


@pytest.fixture
def samples(tmp_path, tsv_line, oscar_line, npz_bytes, write_rows, write_animals):
    """Format -> the path to give."""
    (tmp_path / "x.tsv").write_bytes(b"".join(tsv_line(i, 3) + b"\n" for i in range(4)))
    (tmp_path / "oscar.tsv").write_bytes(b"".join(oscar_line(i, 1, i % 2) + b"\n" for i in range(2)))
    (tmp_path / "npz").mkdir()
    for name, kind, compressed in (("a", "bottom_up", True), ("b", "uniter", False), ("c", "bottom_up", False)):
        (tmp_path / "npz" / f"{name}.npz").write_bytes(npz_bytes(kind, compressed=compressed))
    scan, released = write_rows(tmp_path / "scan", 3), write_rows(tmp_path / "released", 15, "released")
    write_animals(tmp_path / "animals")
    files = {"tsv": "x.tsv", "oscar": "oscar.tsv", "npz": "npz", "store": "animals"}
    return {"scan": scan, "released": released, **{name: tmp_path / file for name, file in files.items()}}


@pytest.mark.parametrize("name", ["tsv", "oscar", "npz", "scan", "released", "store"])
def test_items_can_be_sent_to_a_worker(samples, name):
    form = pickle.loads(pickle.dumps(FORMATS[name]))
    for item in form.items([samples[name]], BadRecords()):
        assert form.decode(pickle.loads(pickle.dumps(item))).features.size


def test_names():
    assert list(FORMATS) == ["tsv", "npz", "oscar", "scan", "released", "lmdb", "store"]
