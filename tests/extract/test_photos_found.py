"""The photos of a directory or a zip archive, whatever else lies in it."""

import os
import pickle
import random
import zipfile

import pytest

from inflate_shrink.errors import InputError
from inflate_shrink.extract import photos
from inflate_shrink.extract.photos import PhotoFolder


def build(source, contents):
    """A directory, or a zip archive, with these files."""
    if source.suffix == ".zip":
        with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in contents.items():
                archive.writestr(name, data)
    else:
        source.mkdir()
        for name, data in contents.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes(data)
    return source


@pytest.fixture(params=["own", "own.zip"])
def source(request, tmp_path):
    """Where the files of ``build`` go: both kinds of source."""
    return tmp_path / request.param


def refused(source, *parts):
    with pytest.raises(InputError) as caught:
        PhotoFolder(source)
    assert "\n" not in str(caught.value)
    for part in (str(source), *parts):
        assert part in str(caught.value)


def test_names(source):
    files = ["b.jpg", "a b/ü 猫.JPG", "a b/x.jpg", "a.jpg", "notes.txt", "x.jpg/inside.jpg"]
    hidden = [".DS_Store", "a/.x.jpg", ".cache/x.jpg", "__MACOSX/x.jpg", "a/Thumbs.db", "desktop.ini"]
    folder = PhotoFolder(build(source, {name: name.encode() for name in files + hidden}))
    assert folder.names == sorted(files) and folder.bad == []
    for name in folder.names:
        assert folder.read(name) == name.encode()


def test_where(tmp_path):
    assert PhotoFolder(build(tmp_path / "own", {"a/b.jpg": b""})).where("a/b.jpg") == f"{tmp_path}/own/a/b.jpg"
    assert PhotoFolder(build(tmp_path / "own.zip", {"a/b.jpg": b""})).where("a/b.jpg") == f"{tmp_path}/own.zip: a/b.jpg"


def test_names_that_a_table_cannot_hold(source):
    folder = PhotoFolder(build(source, {"two\nlines.jpg": b"", "a\tb/c.jpg": b"", "good.jpg": b""}))
    assert folder.names == ["good.jpg"]
    reason = "the name holds a tab or a newline, which a table cannot store; rename it"
    assert sorted(folder.bad) == [f"{source}: {name!r}: {reason}" for name in ("a\tb/c.jpg", "two\nlines.jpg")]


def test_name_that_is_not_utf8(tmp_path):
    (tmp_path / "good.jpg").touch()
    try:
        open(os.fsencode(tmp_path) + b"/\xe4.jpg", "wb").close()
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    folder = PhotoFolder(tmp_path)
    assert folder.names == ["good.jpg"]
    assert folder.bad == [f"{tmp_path}: '\\udce4.jpg': the name is not UTF-8; rename it"]


@pytest.mark.parametrize(
    "name",
    [
        "../evil.jpg",
        "a/../../evil.jpg",
        "..",
        "/etc/evil.jpg",
        "C:/evil.jpg",
        "..\\evil.jpg",
        "a\\b.jpg",
        "a.jpg\0.txt",
    ],
)
def test_archive_that_leads_outside(tmp_path, name):
    source = tmp_path / "own.zip"
    placeholder = "@" * len(name)  # writing would clean the name
    build(source, {"good.jpg": b"1", placeholder: b"2"})
    source.write_bytes(source.read_bytes().replace(placeholder.encode(), name.encode()))
    folder = PhotoFolder(source)
    assert folder.names == ["good.jpg"] and folder.read("good.jpg") == b"1"
    assert len(folder.bad) == 1 and repr(name) in folder.bad[0] and "not opened" in folder.bad[0]
    for outside in (name, "evil.jpg"):
        with pytest.raises(InputError, match="holds no file"):
            folder.read(outside)
    assert os.listdir(tmp_path) == ["own.zip"]


def test_archive_oddities(tmp_path):
    source = tmp_path / "own.zip"
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(source, "w") as archive:
        archive.mkdir("empty") if hasattr(archive, "mkdir") else archive.writestr("empty/", b"")
        archive.writestr("./a//b.jpg", b"1")
        with pytest.warns(UserWarning):
            archive.writestr("c.jpg", b"2")
            archive.writestr("c.jpg", b"3")
        archive.writestr(link, "/etc/passwd")
    folder = PhotoFolder(source)
    assert {name: folder.read(name) for name in folder.names} == {"a/b.jpg": b"1", "c.jpg": b"2"}
    assert len(folder.bad) == 2 and "more than once" in folder.bad[0] and "'link.jpg': a link" in folder.bad[1]


def test_links(tmp_path):
    build(tmp_path / "elsewhere", {"photo.jpg": b"1"})
    source = build(tmp_path / "own", {"a.jpg": b"2"})
    (source / "file.jpg").symlink_to(tmp_path / "elsewhere" / "photo.jpg")
    (source / "directory").symlink_to(tmp_path / "elsewhere")
    (source / "loop").symlink_to(source)
    (source / "broken.jpg").symlink_to(tmp_path / "gone.jpg")
    os.mkfifo(source / "pipe.jpg")
    folder = PhotoFolder(source)
    assert folder.names == ["a.jpg", "file.jpg"] and folder.read("file.jpg") == b"1"
    assert folder.bad == [f"{source}: 'broken.jpg': a link to a file that does not exist; remove it"]


def test_only_names_of_the_folder_are_read(source, tmp_path):
    (tmp_path / "secret").write_bytes(b"x")
    folder = PhotoFolder(build(source, {"a.jpg": b""}))
    for name in ("../secret", str(tmp_path / "secret"), "b.jpg", "", "."):
        with pytest.raises(InputError, match="holds no file"):
            folder.read(name)


def test_unreadable(tmp_path):
    source = build(tmp_path / "own", {"a.jpg": b""})
    (source / "a.jpg").chmod(0)
    if os.access(source / "a.jpg", os.R_OK):
        pytest.skip("root reads everything")
    with pytest.raises(InputError, match="a.jpg: cannot be read: Permission denied"):
        PhotoFolder(source).read("a.jpg")


def test_subdirectory_that_cannot_be_listed(tmp_path, monkeypatch):
    source = build(tmp_path / "own", {"a.jpg": b"", "locked/b.jpg": b""})
    scandir = os.scandir

    def deny(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", deny)
    folder = PhotoFolder(source)
    assert folder.names == ["a.jpg"] and folder.bad[0].startswith(
        f"{source}/locked: cannot be listed: Permission denied"
    )
    refused(build(tmp_path / "all locked", {"a.jpg": b""}), "cannot be listed: Permission denied")


def test_file_that_went_away(source):
    folder = PhotoFolder(build(source, {"a.jpg": b""}))
    folder = pickle.loads(pickle.dumps(folder))
    (source / "a.jpg" if source.is_dir() else source).unlink()
    with pytest.raises(InputError, match="No such file"):
        folder.read("a.jpg")


def test_too_large(source, monkeypatch):
    folder = PhotoFolder(build(source, {"a.jpg": b"0" * 10, "b.jpg": b"0" * 11}))
    monkeypatch.setattr(photos, "MAX_BYTES", 10)
    assert folder.read("a.jpg") == b"0" * 10
    with pytest.raises(InputError, match="b.jpg: 11 bytes, more than the limit of 10"):
        folder.read("b.jpg")


@pytest.mark.parametrize("method, name", [(zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "lzma")])
def test_methods_that_are_unpacked_without_bound_are_refused(tmp_path, method, name):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w", method) as archive:
        archive.writestr("a.jpg", b"0" * 1000)
    with pytest.raises(InputError, match=f"photos.zip: a.jpg: packed by {name}, .* pack it again by deflate"):
        PhotoFolder(tmp_path / "photos.zip").read("a.jpg")


def test_nothing_there(tmp_path):
    refused(tmp_path / "none", "no such directory or .zip archive")
    refused(build(tmp_path / "empty", {}), "holds no files")
    refused(build(tmp_path / "empty.zip", {}), "holds no files")
    refused(build(tmp_path / "hidden", {".x.jpg": b""}), "holds no files")
    refused(build(tmp_path / "bad", {"a\tb.jpg": b""}), "rename it")
    (tmp_path / "x.jpg").write_bytes(b"a photo")
    refused(tmp_path / "x.jpg", "neither a directory nor a whole .zip archive")


def test_protected_archive(tmp_path):
    source = build(tmp_path / "own.zip", {"a.jpg": b"secret"})
    data = bytearray(source.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1  # the flag in the central directory
    source.write_bytes(data)
    refused(source, "protected by a password", "unpack it")


def test_damaged_archive(tmp_path):
    source = build(tmp_path / "own.zip", {"a.jpg": b"0123456789" * 9, "b.jpg": b"1"})
    good = source.read_bytes()
    source.write_bytes(good[:-5])
    refused(source, "whole .zip archive", "copy it again")
    source.write_bytes(good.replace(b"PK\3\4", b"PK\0\0", 1))
    folder = PhotoFolder(source)
    assert folder.read("b.jpg") == b"1"
    with pytest.raises(InputError, match=r"own\.zip: a\.jpg: cannot be read: .*copy it again"):
        folder.read("a.jpg")


def test_damaged_archives_give_one_line(tmp_path):
    rng = random.Random(0)
    source = build(tmp_path / "own.zip", {f"d/{i}.jpg": b"hello" * 30 for i in range(3)})
    good = source.read_bytes()
    for _ in range(100):
        data = bytearray(good)
        for _ in range(rng.choice((1, 3, 20))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        source.write_bytes(data)
        try:
            folder = PhotoFolder(source)
            for name in folder.names:
                folder.read(name)
        except InputError as error:
            assert "\n" not in str(error)


def test_pickle(source):
    folder = PhotoFolder(build(source, {"a.jpg": b"1", "b.jpg": b"2"}))
    folder.read("a.jpg")
    copy = pickle.loads(pickle.dumps(folder))
    assert copy.names == folder.names and copy.read("b.jpg") == b"2" and copy.where("b.jpg") == folder.where("b.jpg")


def test_a_fork_opens_the_archive_again(tmp_path, monkeypatch):
    folder = PhotoFolder(build(tmp_path / "own.zip", {"a.jpg": b"1"}))
    opened = []
    zip_file = zipfile.ZipFile
    monkeypatch.setattr(zipfile, "ZipFile", lambda *arguments: opened.append(1) or zip_file(*arguments))
    folder.read("a.jpg")
    assert not opened
    monkeypatch.setattr(os, "getpid", lambda: -1)  # a shared file offset would mix up two readers
    assert folder.read("a.jpg") == folder.read("a.jpg") == b"1"
    assert len(opened) == 1
