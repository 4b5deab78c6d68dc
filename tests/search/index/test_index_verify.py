"""A damaged, foreign or incomplete index is named, not searched."""

import json
import os
import zlib

import pytest

from index_changes import files_in
from inflate_shrink.errors import InputError
from inflate_shrink.search.index import IndexWriter, open_index, verify_index
from inflate_shrink.search.index.manifest import _END


def flip(path, byte, bit):
    data = bytearray(path.read_bytes())
    data[byte] ^= 1 << bit
    path.write_bytes(data)


def all_files(directory):
    return sorted(path for path in directory.rglob("*") if path.is_file() and path.name != "lock")


def test_one_changed_bit_in_any_file(make_index):
    directory = make_index(5)
    paths = all_files(directory)
    kinds = {
        "manifest.json",
        "model",
        "ids.tsv",
        "fragments.rows",
        "fragments.scales",
        "fragments.offsets",
        "codes.rows",
    }
    assert {path.name for path in paths} > kinds
    verify_index(directory)
    for path in paths:
        for byte in (0, path.stat().st_size // 2, -1):
            flip(path, byte, 3)
            with pytest.raises(InputError, match="its checksum is not") as error:
                verify_index(directory)
            assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)
            flip(path, byte, 3)
    verify_index(directory)


@pytest.mark.parametrize("copy", [IndexWriter.compact, IndexWriter.commit])
def test_damage_is_not_copied(make_index, copy):
    """Without the items deleted here the last two segments are merged."""
    directory = make_index(5)
    manifest, files = (directory / "manifest.json").read_bytes(), files_in(directory)
    for name in open_index(directory).segments[1].entry.files:
        path = directory / name
        with pytest.raises(InputError, match="its checksum is not") as error:
            with IndexWriter(directory) as writer:
                writer.delete(["5-0", "always"])
                flip(path, path.stat().st_size // 2, 3)
                copy(writer)
        flip(path, path.stat().st_size // 2, 3)
        assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)
        assert (directory / "manifest.json").read_bytes() == manifest and files_in(directory) == files
    with IndexWriter(directory) as writer:
        writer.delete(["5-0", "always"])
        copy(writer)
        writer.commit()
    assert len(open_index(directory).segments) < 3
    verify_index(directory)


def test_bits_all_over_the_manifest_count(make_index):
    path = make_index(1) / "manifest.json"
    for byte in range(0, path.stat().st_size, 5):
        flip(path, byte, byte % 8)
        with pytest.raises(InputError, match="manifest.json: its checksum is not"):
            open_index(path.parent)
        flip(path, byte, byte % 8)
    open_index(path.parent)


def test_deleted_bits_are_checked_when_they_are_read(make_index):
    directory = make_index(2)
    (path,) = (directory / "deleted").iterdir()
    flip(path, 0, 0)
    with pytest.raises(InputError, match=f"{path}: its checksum is not"):
        open_index(directory)


def cut(path):
    os.truncate(path, path.stat().st_size - 1)


@pytest.mark.parametrize("damage, message", [(cut, "bytes, manifest.json says"), (os.remove, "missing")])
def test_missing_and_cut_files_are_found_on_opening(make_index, damage, message):
    directory = make_index(5)
    for path in all_files(directory):
        before = path.read_bytes()
        damage(path)
        for use in (open_index, verify_index, IndexWriter):
            with pytest.raises(InputError, match=f"{message}|its checksum is not") as error:
                use(directory)
            assert all(part in str(error.value) for part in (str(directory), path.name))
        path.write_bytes(before)
    open_index(directory)


def test_a_missing_segment_is_named(make_index):
    directory = make_index(2)
    segment = directory / "segments" / open_index(directory).segments[0].entry.name
    segment.rename(directory / "elsewhere")
    with pytest.raises(InputError, match=f"{segment}: missing, so this is not a whole index"):
        open_index(directory)


@pytest.mark.parametrize(
    "name, message",
    [
        ("none", "none: no such index"),
        ("", "not an index of fragments: manifest.json is missing"),
        ("file", "no such index"),
    ],
)
def test_no_index(tmp_path, name, message):
    (tmp_path / "file").touch()
    for use in (open_index, verify_index, IndexWriter):
        with pytest.raises(InputError, match=message):
            use(tmp_path / name)
    assert not (tmp_path / "lock").exists()


@pytest.mark.parametrize(
    "key, value, message",
    [
        ("format", 3, "of format 3, this version reads up to 2"),
        ("kind", "other", "an index of kind 'other', expected 'late_interaction'"),
    ],
)
def test_indexes_of_another_version_or_kind(make_index, key, value, message):
    path = make_index(1) / "manifest.json"
    meta = {**json.loads(path.read_text()), key: value}
    del meta["crc32"]
    body = json.dumps(meta, indent=1)[:-2].encode()
    path.write_bytes(body + (_END % zlib.crc32(body)).encode())
    with pytest.raises(InputError, match=message):
        open_index(path.parent)
