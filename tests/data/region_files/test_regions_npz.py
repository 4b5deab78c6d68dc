import io
import os
import tracemalloc
import zipfile

import numpy as np
import pytest

from inflate_shrink.data.region_files import npz


@pytest.fixture
def folder(tmp_path, npz_bytes):
    """b.npz, a.NPZ and sub/flickr30k_000000012.npz, and a file that is none."""
    (tmp_path / "npz" / "sub").mkdir(parents=True)
    for name, kind in (("b.npz", "bottom_up"), ("a.NPZ", "uniter"), ("sub/flickr30k_000000012.npz", "uniter")):
        (tmp_path / "npz" / name).write_bytes(npz_bytes(kind))
    (tmp_path / "npz" / "readme.txt").write_text("x")
    return tmp_path / "npz"


def test_folder(read, folder):
    found, _ = read("npz", folder)
    assert list(found) == ["a", "b", "sub/flickr30k_000000012"]
    bottom_up, uniter = found["b"], found["a"]
    assert bottom_up.features.tolist() == [[0, 1, 2], [3, 4, 5]] and bottom_up.features.dtype == np.float32
    assert bottom_up.boxes.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert bottom_up[2:5] == (640, 480, "")
    assert uniter.features.tolist() == [[1, 1, 1]] * 2
    assert np.allclose(uniter.boxes, [[0.1, 0.2, 0.3, 0.4]] * 2) and uniter[2:5] == (0, 0, "")


def test_files(read, folder):
    assert list(read("npz", folder / "sub" / "flickr30k_000000012.npz", folder / "b.npz")[0]) == [
        "flickr30k_000000012",
        "b",
    ]


def test_seven_box_numbers(tmp_path, read, npz_bytes):
    (tmp_path / "a.npz").write_bytes(npz_bytes("uniter", norm_bb=np.full((2, 7), 0.5), conf=None))
    assert read("npz", tmp_path / "a.npz")[0]["a"].boxes.tolist() == [[0.5] * 4] * 2


BAD = {
    "no x": ("bottom_up", dict(x=None), "no key 'x'; expected x, bbox"),
    "no bbox": ("bottom_up", dict(bbox=None), "no key 'bbox'"),
    "no size": ("bottom_up", dict(image_h=None), "no key 'image_h'"),
    "no norm_bb": ("uniter", dict(norm_bb=None), "no key 'norm_bb'"),
    "x of one image": ("bottom_up", dict(x=np.ones(2)), "expected features of shape (boxes, dimension)"),
    "no boxes": ("bottom_up", dict(x=np.ones((0, 3)), bbox=np.ones((0, 4)), num_bbox=0), "key 'num_bbox'"),
    "another count": ("bottom_up", dict(num_bbox=3), "key 'x' has shape (2, 3), but num_bbox is 3"),
    "boxes of another count": ("bottom_up", dict(bbox=np.ones((3, 4))), "expected boxes of shape (2, 4)"),
    "five box numbers": ("uniter", dict(norm_bb=np.ones((2, 5))), "key 'norm_bb' has shape (2, 5)"),
    "size": ("bottom_up", dict(image_w=[1, 2]), "key 'image_w' is [1 2], expected one whole number"),
    "size of NaN": ("bottom_up", dict(image_w=np.nan), "key 'image_w' is [nan]"),
    "text": ("bottom_up", dict(x=np.array([["a"]]), num_bbox=1), "features are of type <U1"),
    "objects": ("bottom_up", dict(x=np.array([[{}]], object)), "key 'x' holds Python objects"),
    "NaN": ("uniter", dict(features=np.full((2, 3), np.nan)), "features contain NaN"),
    "too large": ("uniter", dict(features=np.full((2, 3), 1e39)), "too large for float32"),
}


@pytest.mark.parametrize("kind, changes, says", BAD.values(), ids=BAD)
def test_bad_file(read, refused, folder, npz_bytes, kind, changes, says):
    (folder / "b.npz").write_bytes(npz_bytes(kind, **changes))
    refused("npz", folder, says=[f"{folder / 'b.npz'}: ", says])
    found, bad = read("npz", folder, skip=True)
    assert list(found) == ["a", "sub/flickr30k_000000012"] and bad == 1


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("keep", [0, 3, 100, -1])
def test_truncated(read, refused, folder, npz_bytes, compressed, keep):
    (folder / "b.npz").write_bytes(npz_bytes("bottom_up", compressed=compressed)[:keep])
    refused("npz", folder, says=[folder / "b.npz", "not a readable .npz file", "copy or extract it again"])
    assert len(read("npz", folder, skip=True)[0]) == 2


@pytest.mark.parametrize(
    "shape, says",
    [
        ((1 << 24, 1), "'x': 16777216 boxes, more than the limit of 2048"),
        ((2, 1 << 24), "'x': 33554432 numbers, more than the limit of"),
    ],
)
def test_small_members_do_not_fill_the_memory(folder, refused, npz_bytes, shape, says):
    zeros = np.zeros(shape, np.uint8)
    (folder / "b.npz").write_bytes(npz_bytes("bottom_up", x=zeros, num_bbox=shape[0]))
    assert (folder / "b.npz").stat().st_size < 200_000
    tracemalloc.start()
    refused("npz", folder / "b.npz", says=["b.npz: key ", says])
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


def test_member_larger_than_any_array(folder, refused, npz_bytes, monkeypatch):
    monkeypatch.setattr(npz, "_LARGEST", 100)
    refused("npz", folder / "b.npz", says=["key 'x' of ", "more than the limit of 100 an image"])


@pytest.mark.parametrize("method, name", [(zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "lzma")])
def test_methods_that_are_unpacked_without_bound_are_refused(folder, refused, npz_bytes, method, name):
    with (
        zipfile.ZipFile(io.BytesIO(npz_bytes("bottom_up"))) as source,
        zipfile.ZipFile(folder / "b.npz", "w", method) as target,
    ):
        for member in source.namelist():
            target.writestr(member, source.read(member))
    refused("npz", folder / "b.npz", says=["b.npz: key 'x': packed by " + name, "pack it again by deflate"])


def test_header_that_claims_too_much(folder, refused, npz_bytes):
    array = io.BytesIO()
    np.save(array, np.ones((2, 3), np.float32))
    with zipfile.ZipFile(folder / "b.npz", "w") as archive:
        archive.writestr("x.npy", array.getvalue().replace(b"(2, 3), }     ", b"(2, 30000), } "))
    refused("npz", folder, says=["b.npz", "'x' claims shape (2, 30000)"])


def test_names(tmp_path, read, refused, folder):
    refused("npz", tmp_path / "none", says=["none: no such file or folder"])
    (tmp_path / "empty").mkdir()
    refused("npz", tmp_path / "empty", says=["empty: holds no .npz file"])
    (folder / "b.npz").rename(folder / "tab\t.npz")
    assert (len(read("npz", folder, skip=True)[0]), read("npz", folder, skip=True)[1]) == (2, 1)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_no_permission(folder, refused):
    (folder / "b.npz").chmod(0)
    refused("npz", folder, says=["b.npz: cannot be read: Permission denied"])
