"""What holds for every format: damaged files give regions or one clear line, and items can be sent to a worker."""

import pickle
import random
import warnings

import numpy as np
import pytest

from inflate_shrink.data.bad_records import BadRecords
from inflate_shrink.data.region_files import FORMATS
from inflate_shrink.data.region_files.records import RegionItem, Regions
from inflate_shrink.errors import InputError


@pytest.fixture
def samples(tmp_path, tsv_line, oscar_line, npz_bytes, write_rows, write_animals):
    """Format -> (path to give, files to damage)."""
    (tmp_path / "x.tsv").write_bytes(b"".join(tsv_line(i, 3) + b"\n" for i in range(4)))
    (tmp_path / "oscar.tsv").write_bytes(b"".join(oscar_line(i, 1, i % 2) + b"\n" for i in range(2)))
    (tmp_path / "npz").mkdir()
    for name, kind, compressed in (("a", "bottom_up", True), ("b", "uniter", False), ("c", "bottom_up", False)):
        (tmp_path / "npz" / f"{name}.npz").write_bytes(npz_bytes(kind, compressed=compressed))
    scan, released = write_rows(tmp_path / "scan", 3), write_rows(tmp_path / "released", 15, "released")
    write_animals(tmp_path / "animals")
    found = {
        "tsv": (tmp_path / "x.tsv", [tmp_path / "x.tsv"]),
        "oscar": (tmp_path / "oscar.tsv", [tmp_path / "oscar.tsv"]),
        "npz": (tmp_path / "npz", sorted((tmp_path / "npz").iterdir())),
        "scan": (scan, [scan, scan.with_name("train_caps.txt")]),
        "released": (released, [released]),
        "store": (tmp_path / "animals", sorted((tmp_path / "animals").glob("*.npy"))),
    }
    return found


def damage(data, rng):
    if rng.random() < 0.3:
        return data[: rng.randrange(len(data))]
    data = bytearray(data)
    end = min(len(data), 300 if rng.random() < 0.5 else len(data))  # headers are near the start
    for _ in range(rng.choice([1, 1, 2, 10])):
        data[rng.randrange(end)] = rng.randrange(256)
    return bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tsv", "oscar", "npz", "scan", "released", "store"])
def test_damaged_files(samples, name, capsys):
    path, files = samples[name]
    rng, form = random.Random(0), FORMATS[name]
    originals = {file: file.read_bytes() for file in files}
    outcomes = {"read": 0, "refused": 0}
    for _ in range(80):
        file = rng.choice(files)
        file.write_bytes(damage(originals[file], rng))
        for skip in (False, True):
            bad = BadRecords(skip)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    for item in form.items([path], bad):
                        check(item, form, bad, outcomes)
                except InputError as error:
                    outcomes["refused"] += 1
                    assert any(str(known) in str(error) for known in (path, *files)) and "\n" not in str(error)
        file.write_bytes(originals[file])
    assert outcomes["read"] > 20 and outcomes["refused"] > 20


def check(item, form, bad, outcomes):
    assert isinstance(item, RegionItem)
    try:
        regions = form.decode(item)
    except InputError as error:
        assert str(error).startswith(item.where)
        bad.report(error)
        return
    outcomes["read"] += 1
    assert isinstance(regions, Regions) and isinstance(regions.file, str)
    count, dimension = regions.features.shape
    assert count > 0 and dimension > 0 and regions.boxes.shape == (count, 4)
    assert regions.features.dtype == regions.boxes.dtype == np.float32
    assert np.isfinite(regions.features).all() and np.isfinite(regions.boxes).all()
    assert type(regions.width) is int and type(regions.height) is int


@pytest.mark.parametrize("name", ["tsv", "oscar", "npz", "scan", "released", "store"])
def test_items_can_be_sent_to_a_worker(samples, name):
    form = pickle.loads(pickle.dumps(FORMATS[name]))
    for item in form.items([samples[name][0]], BadRecords()):
        assert form.decode(pickle.loads(pickle.dumps(item))).features.size


def test_names():
    assert list(FORMATS) == ["tsv", "npz", "oscar", "scan", "released", "lmdb", "store"]
