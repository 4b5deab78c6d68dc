import os
import sys

import numpy as np
import pytest


@pytest.fixture
def write(tmp_path):
    lmdb = pytest.importorskip("lmdb")

    def _write(values, folder=True):
        path = tmp_path / "features.lmdb"
        with (
            lmdb.open(str(path), map_size=1 << 22, subdir=folder, lock=False) as environment,
            environment.begin(write=True) as transaction,
        ):
            for key, value in values.items():
                transaction.put(key.encode(), value)
        return path

    return _write


@pytest.mark.parametrize("folder", [True, False])
def test_both_key_sets(read, write, npz_bytes, folder):
    values = {"__keys__": b'["x"]', "b.npz": npz_bytes("bottom_up"), "a.npz": npz_bytes("uniter", compressed=False)}
    found, _ = read("lmdb", write(values, folder))
    assert list(found) == ["a", "b"]
    assert found["b"].features.tolist() == [[0, 1, 2], [3, 4, 5]] and found["b"].width == 640
    assert found["a"].features.dtype == np.float32


@pytest.mark.parametrize(
    "key, kind, says",
    [("../x.npz", "uniter", "'../x' cannot be used"), ("m.npz", None, "key 'm.npz': not a readable .npz file")],
)
def test_bad_value_or_key(read, refused, write, npz_bytes, key, kind, says):
    path = write({"!.npz": npz_bytes("uniter"), key: npz_bytes(kind) if kind else b"", "z.npz": npz_bytes("uniter")})
    refused("lmdb", path, says=[path, says])
    found, bad = read("lmdb", path, skip=True)
    assert list(found) == ["!", "z"] and bad == 1


@pytest.mark.parametrize("value", [b"\x84\xa8features", b"\x04\x22\x4d\x18...."])
def test_msgpack_is_refused(refused, write, value):
    refused("lmdb", write({"__keys__": b"[]", "a.npz": value}), says=["features.lmdb: holds msgpack or lz4 values"])


def test_truncated_or_no_lmdb(tmp_path, refused, write, npz_bytes):
    path = write({f"{i}.npz": npz_bytes("bottom_up", 50) for i in range(30)})
    for size in (os.path.getsize(path / "data.mdb") // 2, 5000, 4096, 100, 0):
        os.truncate(path / "data.mdb", size)
        refused("lmdb", path, says=[path])
    refused("lmdb", tmp_path / "none", says=["none: no such LMDB"])
    refused("lmdb", tmp_path, says=[tmp_path, "not a readable LMDB"])


def test_without_the_package(tmp_path, refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "lmdb", None)
    refused("lmdb", tmp_path, says=["pip install lmdb"])
