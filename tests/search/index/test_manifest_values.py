"""A manifest with a right checksum is not believed either: numbers are compared with sizes, paths stay in the index."""

import json
import os
import zlib

import numpy as np
import pytest

from inflate_shrink.checked_files import measure
from inflate_shrink.errors import InputError
from inflate_shrink.search.index import IndexWriter, open_index
from inflate_shrink.search.index.manifest import _END


@pytest.fixture
def edit(make_index):
    """A function: what to do with the manifest of an index of two segments -> the index's directory."""

    def change(act):
        path = make_index(2) / "manifest.json"
        value = json.loads(path.read_text())
        act(value)
        write(path, value)
        return path.parent

    return change


def write(path, value):
    body = json.dumps({key: value[key] for key in value if key != "crc32"}, indent=1)[:-2].encode()
    path.write_bytes(body + (_END % zlib.crc32(body)).encode())


def segment(key, value, of=None):
    """Set a value of the second segment, or one in the mapping ``key``."""

    def act(manifest):
        entry = manifest["segments"][1]
        entry = entry if of is None else entry[of]
        entry[key] = value(entry[key]) if callable(value) else value

    return act


def resize(name, change):
    def act(manifest):
        entry = manifest["segments"][1]
        listed = entry["files"][f"segments/{entry['name']}/{name}"]
        listed[0] = change(listed[0])

    return act


def one_row_each(count):
    """Say that all items have so many rows."""

    def act(manifest):
        entry = manifest["segments"][1]
        entry["rows_per_item"] = {"fragments": count}

    return act


@pytest.mark.parametrize(
    "act, message",
    [
        (one_row_each(10**9), r"segments\[1\].rows_per_item: 3 items of 1000000000 rows are not 6, as rows says"),
        (
            segment("items", lambda n: n + 100_000),
            r"segments\[1\]\.rows\.fragments: expected a whole number from 100003, found 6",
        ),
        (segment("items", lambda n: n + 1), "has 32 bytes, which are not those of 4 items"),
        (segment("items", 10**400), r"segments\[1\].items: expected a whole number from 1, found 1000"),
        (segment("items", True), "items: expected a whole number from 1, found True"),
        (segment("items", "3"), "items: expected a whole number from 1, found '3'"),
        (segment("items", 0), "items: expected a whole number from 1, found 0"),
        (segment("fragments", 7, "rows"), "fragments.rows has 48 bytes, which are not those of 3 items"),
        (segment("fragments", -6, "rows"), "found -6"),
        (resize("ids.lookup", lambda n: n + 8), "ids.lookup has 56 bytes"),
        (resize("ids.lookup", lambda n: n + 16), "ids.lookup has 64 bytes"),
        (resize("ids.tsv", lambda n: 16), "ids.tsv has 16 bytes"),
        (resize("fragments.scales", lambda n: n * 2), "fragments.scales has 48 bytes"),
        (lambda manifest: manifest["settings"]["fields"]["fragments"].update(dim=9), "fragments.rows has 48 bytes"),
        (
            lambda manifest: manifest["settings"]["fields"]["fragments"].update(dim=10**6),
            "settings.fields: field fragments: rows in int8 have 1 to 132104 dimensions",
        ),
        (
            lambda manifest: manifest["settings"]["fields"]["fragments"].update(center=[0, 1, 2, 3, "4"]),
            "fragments.center: expected a list of finite numbers",
        ),
        (
            lambda manifest: manifest["settings"]["fields"]["fragments"].update(center=[0, 1]),
            "a center has as many finite numbers as the vectors, 5; found 2",
        ),
        (
            lambda manifest: manifest["settings"]["fields"]["fragments"].update(new=1),
            "fragments.new: an unknown key; expected precision, dim, center",
        ),
        (lambda manifest: manifest["settings"].pop("items"), "settings.items: it is missing"),
        (lambda manifest: manifest.update(new=1), "new: an unknown key"),
        (lambda manifest: manifest.pop("segments"), "segments: it is missing"),
        (lambda manifest: manifest.update(segments={}), "segments: expected a list, found {}"),
        (lambda manifest: manifest["segments"].append(None), r"segments\[2\]: expected a mapping, found None"),
        (lambda manifest: manifest["segments"].append(manifest["segments"][0]), "segments: one is named twice"),
        (lambda manifest: manifest.update(commit=-1), "commit: expected a whole number from 0, found -1"),
        (lambda manifest: manifest.update(format="1"), "format: expected a whole number from 1, found '1'"),
        (segment("name", "../elsewhere"), r"segments\[1\].name: '../elsewhere' is no name of a directory"),
        (segment("name", ".."), "is no name of a directory"),
        (segment("name", "\ud800"), r"name: expected a text, found '\\ud800'"),
        (
            segment("deleted_file", "../../etc/passwd"),
            r"segments\[1\].deleted: expected a whole number from 1 to 3, found 0",
        ),
        (segment("files", {}), r"segments\[1\].files: they are not "),
        (
            lambda manifest: manifest.update(files={"../secret": [1, "0" * 8]}),
            "'../secret' is not the path of a file within its directory",
        ),
        (
            lambda manifest: manifest.update(files={"/etc/passwd": [1, "0" * 8]}),
            "'/etc/passwd' is not the path of a file within its directory",
        ),
        (
            lambda manifest: manifest.update(files={"a/../b": [1, "0" * 8]}),
            "'a/../b' is not the path of a file within its directory",
        ),
        (
            lambda manifest: manifest.update(files={"a\0b": [1, "0" * 8]}),
            "is not the path of a file within its directory",
        ),
        (lambda manifest: manifest.update(files={"x": [-1, "0" * 8]}), "files.x: no size and checksum"),
        (lambda manifest: manifest.update(files={"x": [1, "0"]}), "files.x: no size and checksum"),
        (lambda manifest: manifest.update(files={"x": 1}), "files.x: no size and checksum"),
    ],
)
def test_a_value_that_cannot_be(edit, act, message):
    directory = edit(act)
    for use in (open_index, IndexWriter):
        with pytest.raises(InputError, match=message) as error:
            use(directory)
        assert (
            str(error.value).startswith(f"{directory}/manifest.json: ")
            and "\n" not in str(error.value)
            and "damaged" in str(error.value)
        )


@pytest.mark.parametrize(
    "content", [b"[]", b"{", b"\xff", b"[" * 100_000, b'{"a": ' + b"1" * 5000 + b"}"], ids=range(5)
)
def test_no_json(make_index, content):
    path = make_index(1) / "manifest.json"
    body = content
    path.write_bytes(body + (_END % zlib.crc32(body)).encode())
    with pytest.raises(InputError, match="manifest.json: ") as error:
        open_index(path.parent)
    assert "\n" not in str(error.value)


def test_the_number_of_deleted_items_is_that_of_the_bits(make_index):
    path = make_index(2) / "manifest.json"
    value = json.loads(path.read_text())
    value["segments"][0]["deleted"] -= 1
    write(path, value)
    with pytest.raises(InputError, match="deleted/.*: its checksum is not"):
        open_index(path.parent)


def replace_with_link(path, target):
    path.rename(target)
    path.symlink_to(target)


def test_a_link_out_of_the_index(make_index, tmp_path):
    directory = make_index(2)
    replace_with_link(directory / "encoder" / "model", directory / "moved")
    open_index(directory)  # within
    (directory / "moved").replace(directory / "encoder" / "model")
    (tmp_path / "linked").symlink_to(directory)
    open_index(tmp_path / "linked")  # the whole of it
    for path in (directory / "encoder" / "model", directory / "encoder", directory / "segments"):
        replace_with_link(path, tmp_path / "outside")
        with pytest.raises(InputError, match="is a symbolic link out of"):
            open_index(directory)
        path.unlink()
        (tmp_path / "outside").rename(path)
    open_index(directory)


def test_a_pipe_is_no_file(make_index):
    directory = make_index(1)
    path = directory / "encoder" / "model"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InputError, match="model: is no regular file"):
        open_index(directory)


@pytest.mark.parametrize(
    "name, offsets",
    [
        ("fragments.offsets", [0, 2**63 - 1, -(2**63), 6]),
        ("fragments.offsets", [0, 2, 2, 6]),
        ("codes.offsets", [1, 2, 3, 6]),
    ],
)
def test_offsets_do_ascend(make_index, name, offsets):
    directory = make_index(2)
    path = next(directory.glob(f"segments/00000002*/{name}"))
    path.write_bytes(np.array(offsets, np.int64).tobytes())
    with pytest.raises(InputError, match=f"{path}: its checksum is not"):
        open_index(directory)


@pytest.mark.parametrize("name", ["ids.tsv", "ids.offsets", "ids.lookup"])
@pytest.mark.parametrize("word", [0, 2**63 - 1, 2**64 - 1, 0xFFFF0000FFFF0000])
def test_damaged_ids_are_one_line(make_index, name, word):
    """Whatever they say, with a right checksum."""
    directory = make_index(2)
    (path,) = directory.glob(f"segments/00000002*/{name}")
    data = bytearray(path.read_bytes())
    begin = 8 if name == "ids.tsv" else len(data) // 2 // 8 * 8
    data[begin:] = (word.to_bytes(8, "little") * len(data))[: len(data) - begin]
    path.write_bytes(data)
    manifest = directory / "manifest.json"
    value = json.loads(manifest.read_text())
    value["segments"][1]["files"][path.relative_to(directory).as_posix()] = list(measure(path))
    write(manifest, value)
    index = open_index(directory)

    def delete():
        with IndexWriter(directory) as writer:
            writer.delete(["2-0"])

    for use in (lambda: list(index.segments[1].ids), lambda: index.find(["2-0", "2-1"]), delete):
        try:
            use()
        except InputError as error:
            assert str(directory) in str(error) and "\n" not in str(error)
    with pytest.raises(InputError, match="damaged|not in the index"):
        list(index.segments[1].ids)
        index.find(["2-0", "2-1", "always"])
