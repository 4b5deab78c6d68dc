"""A sidecar of faiss that is damaged, or was not written to the end: it is named, and the index is searched without."""

import json

import pytest
from faiss_items import build, files, sign

import inflate_shrink  # noqa: F401  first, as everywhere
from inflate_shrink.checked_files import measure
from inflate_shrink.errors import InputError
from inflate_shrink.search import faiss_build
from inflate_shrink.search.faiss_vectors import open_faiss, verify_faiss
from inflate_shrink.search.index import open_index


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize(
    "suffix, damage, message",
    [
        ("faiss", flip, "its checksum is not the one in vector-3.json"),
        ("faiss", lambda path: path.write_bytes(path.read_bytes()[:-1]), "its checksum is not"),
        ("faiss", lambda path: path.unlink(), "cannot be read: No such file"),
        ("json", lambda path: path.write_text("{"), "it is damaged, build it again"),
        ("json", lambda path: path.write_text('{"format": 1}'), "it is damaged, build it again"),
        ("json", lambda path: path.write_text('{"format": 2}'), "of format 2, this version reads up to 1"),
    ],
)
def test_a_damaged_file_is_named(make_index, suffix, damage, message):
    index = open_index(make_index())
    build(index, "vector", "flat")
    path = index.directory / "faiss" / f"vector-3.{suffix}"
    damage(path)
    for use in (lambda: open_faiss(index, "vector"), lambda: verify_faiss(index.directory)):
        with pytest.raises(InputError, match=message) as error:
            use()
        assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


def test_one_changed_bit_in_any_file(make_index):
    index = open_index(make_index())
    build(index, "vector", "flat")
    for path in (index.directory / "faiss").glob("vector-*"):
        data = path.read_bytes()
        last = data.find(b"json_crc32") if path.suffix == ".json" else len(data)  # a checksum by another name is none
        for byte in range(0, last, last // 60):
            path.write_bytes(data[:byte] + bytes([data[byte] ^ 1]) + data[byte + 1 :])
            with pytest.raises(InputError) as error:
                verify_faiss(index.directory)
            assert str(error.value).startswith(str(path.parent))
        path.write_bytes(data)
    verify_faiss(index.directory)


def test_a_sidecar_without_a_checksum_of_its_own(make_index):
    """As older versions wrote it."""
    index = open_index(make_index())
    build(index, "vector", "flat")
    path = index.directory / "faiss" / "vector-3.json"
    value = json.loads(path.read_text())
    del value["json_crc32"]
    path.write_text(json.dumps(value))
    verify_faiss(index.directory)
    assert open_faiss(index, "vector").kind == "flat"


def test_a_file_of_a_faiss_that_this_one_does_not_know(make_index):
    index = open_index(make_index())
    build(index, "vector", "flat")
    path, about = index.directory / "faiss" / "vector-3.faiss", index.directory / "faiss" / "vector-3.json"
    path.write_bytes(b"????" + path.read_bytes()[4:])
    sign(about, {**json.loads(about.read_text()), **measure(path)._asdict()})
    with pytest.raises(InputError, match="cannot read it"):
        open_faiss(index, "vector")


def test_a_full_disk_leaves_the_old_one(make_index, monkeypatch):
    index = open_index(make_index())
    build(index, "vector", "flat")

    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(faiss_build.FileWriter, "write", full)
    with pytest.raises(
        InputError,
        match="vector-3.faiss: cannot be written: No space left on device; what was there before is untouched",
    ):
        build(index, "vector", "sq8")
    assert files(index) == ["vector-3.faiss", "vector-3.json"] and open_faiss(index, "vector").kind == "flat"
