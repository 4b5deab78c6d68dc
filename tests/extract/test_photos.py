import io
import os
import pickle
import random
import struct
import threading
import time
import warnings
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from inflate_shrink.errors import InputError
from inflate_shrink.extract import photos
from inflate_shrink.extract.photos import PhotoFolder, open_photo

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def encode(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixel(image, at=(0, 0)):
    """The RGB at a place of the photo, which has the size of ``image``."""
    photo = open_photo(image, "x.jpg")
    assert photo.image.mode == "RGB" and photo.image.size == (photo.width, photo.height)
    return photo.image.getpixel(at)


def near(found, expected, tolerance=6):
    return np.abs(np.subtract(found, expected)).max() <= tolerance


def rejected(data, *parts, **options):
    """open_photo refuses, in one line that holds all the parts."""
    with pytest.raises(InputError) as caught:
        open_photo(data, "album/x.jpg", **options)
    message = str(caught.value)
    assert message.startswith("album/x.jpg: ") and "\n" not in message
    for part in parts:
        assert part in message


def cornered(width=48, height=32):
    """Blue, with its upper left quarter red and its upper right quarter green."""
    image = Image.new("RGB", (width, height), BLUE)
    image.paste(RED, (0, 0, width // 2, height // 2))
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    return image


def noise(width=40, height=30):
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


# ---- opening: what is in the file

# Where the stored image's upper left (red) and upper right (green) corners belong when upright (x, y; EXIF 2.32, tag 0x0112).
UPRIGHT = {
    1: ((0, 0), (1, 0)),
    2: ((1, 0), (0, 0)),
    3: ((1, 1), (0, 1)),
    4: ((0, 1), (1, 1)),
    5: ((0, 0), (0, 1)),
    6: ((1, 0), (1, 1)),
    7: ((1, 1), (1, 0)),
    8: ((0, 1), (0, 0)),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_upright_by_exif(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = open_photo(encode(cornered(), kind, exif=exif), "x")
    size = (32, 48) if orientation > 4 else (48, 32)
    assert photo.image.size == (photo.width, photo.height) == size
    for (x, y), colour in zip(UPRIGHT[orientation], (RED, GREEN)):
        assert near(photo.image.getpixel((x * (size[0] - 1), y * (size[1] - 1))), colour)


def test_nonsense_in_exif_does_not_cost_the_photo():
    rng = random.Random(0)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 9, "a camera"
    good = exif.tobytes()
    assert pixel(encode(cornered(), "PNG", exif=good)) == RED
    word = b"Exif\0\0" + struct.pack("<2sHIHHHI4sI", b"II", 42, 8, 1, 0x0112, 2, 3, b"up", 0)  # text where a number belongs
    assert near(pixel(encode(cornered(), "JPEG", exif=word)), RED)
    for _ in range(100):
        broken = bytes(rng.choice((byte, rng.randrange(256))) for byte in good)[: rng.randrange(1, len(good))]
        assert sorted(open_photo(encode(cornered(), "JPEG", exif=broken), "x").image.size) == [32, 48]


KINDS = {
    "1": (Image.new("1", (3, 2), 1), "PNG", {}, WHITE),
    "L": (Image.new("L", (3, 2), 100), "JPEG", {}, (100, 100, 100)),
    "L with a transparent grey": (Image.new("L", (3, 2), 100), "PNG", {"transparency": 100}, WHITE),
    "RGB with a transparent colour": (Image.new("RGB", (3, 2), RED), "PNG", {"transparency": RED}, WHITE),
    "LA": (Image.new("LA", (3, 2), (0, 51)), "PNG", {}, (204, 204, 204)),  # a fifth of black on white
    "RGBA": (Image.new("RGBA", (3, 2), (255, 0, 0, 51)), "PNG", {}, (255, 204, 204)),
    "RGBA WebP": (Image.new("RGBA", (3, 2), (255, 0, 0, 0)), "WEBP", {}, WHITE),
    "P": (Image.new("RGB", (3, 2), RED).quantize(2), "PNG", {}, RED),
    "P with a transparent colour": (Image.new("RGB", (3, 2), RED).quantize(2), "PNG", {"transparency": 0}, WHITE),
    "P with a translucent colour": (Image.new("RGB", (3, 2), RED).quantize(2), "PNG", {"transparency": b"\x33"}, (255, 204, 204)),
    "GIF with a transparent colour": (Image.new("RGB", (3, 2), RED).quantize(2), "GIF", {"transparency": 0}, WHITE),
    "CMYK JPEG": (Image.new("CMYK", (3, 2), (0, 255, 255, 0)), "JPEG", {}, RED),
    "CMYK TIFF": (Image.new("CMYK", (3, 2), (0, 255, 255, 0)), "TIFF", {}, RED),
    "YCbCr": (Image.new("YCbCr", (3, 2), (76, 85, 255)), "TIFF", {"compression": "tiff_lzw"}, RED),
    "LAB": (Image.new("LAB", (3, 2), (255, 128, 128)), "TIFF", {}, WHITE),
    "BMP": (Image.new("RGB", (3, 2), RED), "BMP", {}, RED),
    "PPM": (Image.new("RGB", (3, 2), RED), "PPM", {}, RED),
}


@pytest.mark.parametrize("image, kind, options, colour", KINDS.values(), ids=KINDS)
def test_kinds(image, kind, options, colour):
    assert near(pixel(encode(image, kind, **options), (2, 1)), colour)


GREYS = {
    "16 bits": (np.uint16([0, 25700, 65535]), "PNG", [0, 100, 255]),
    "16 bits TIFF": (np.uint16([0, 25700, 65535]), "TIFF", [0, 100, 255]),
    "dark 16 bits stay dark": (np.uint16([0, 100, 257]), "PNG", [0, 0, 1]),
    "dark 16 bits PGM": (np.int32([0, 100, 257]), "PPM", [0, 0, 1]),
    "8 bits in 32": (np.int32([0, 100, 255]), "TIFF", [0, 100, 255]),
    "any integers": (np.int32([-1000000, 0, 1000000]), "TIFF", [0, 128, 255]),
    "floats to 1": (np.float32([-0.01, 0.2, 1.02]), "TIFF", [0, 51, 255]),
    "floats to 255": (np.float32([0, 99.6, 255]), "TIFF", [0, 100, 255]),
    "floats to 65535": (np.float32([0, 25700, 65535]), "TIFF", [0, 100, 255]),
    "signed floats": (np.float32([-1, 0.6, 1]), "TIFF", [0, 204, 255]),
    "constant": (np.float32([-7, -7, -7]), "TIFF", [0, 0, 0]),
    "not numbers": (np.float32([np.nan, 1, np.inf]), "TIFF", [0, 255, 255]),
    "no numbers": (np.float32([np.nan, np.nan, np.nan]), "TIFF", [0, 0, 0]),
}


@pytest.mark.parametrize("values, kind, expected", GREYS.values(), ids=GREYS)
def test_deep_greys(values, kind, expected):
    image = open_photo(encode(Image.fromarray(values[None]), kind), "x").image
    assert np.array(image)[0].tolist() == [[grey] * 3 for grey in expected]


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG", "MPO"])
def test_first_of_several_frames(kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, GREEN, BLUE)]
    assert near(pixel(encode(frames[0], kind, save_all=True, append_images=frames[1:])), RED)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (2, 101)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_thin_photos(size, kind):
    photo = open_photo(encode(Image.new("RGB", size, RED), kind), "x", min_side=224)
    assert photo.image.size == (photo.width, photo.height) == size


# ---- opening: large photos


@pytest.mark.parametrize(
    "min_side, decoded",
    [(None, (640, 480)), (481, (640, 480)), (241, (640, 480)), (240, (320, 240)), (100, (160, 120)), (1, (80, 60))],
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_reduced_jpeg(min_side, decoded, mode):
    photo = open_photo(encode(Image.new(mode, (640, 480)), "JPEG"), "x", min_side=min_side)
    assert photo.image.size == decoded and (photo.width, photo.height) == (640, 480)


def test_reduced_jpeg_with_odd_sides_on_its_side():
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = open_photo(encode(Image.new("RGB", (401, 203)), "JPEG", exif=exif), "x", min_side=50)
    assert photo.image.size == (51, 101) and (photo.width, photo.height) == (203, 401)


def test_only_a_jpeg_is_reduced():
    assert open_photo(encode(Image.new("RGB", (64, 48)), "PNG"), "x", min_side=4).image.size == (64, 48)


@pytest.mark.parametrize("pillow", [None, 150, 89_478_485])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "WEBP"])
def test_limit_of_pixels(monkeypatch, pillow, kind):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pillow)
    data = encode(Image.new("RGB", (20, 15)), kind)
    assert open_photo(data, "x", max_pixels=300).width == 20
    rejected(data, "20 x 15 pixels", "limit of 299", max_pixels=299, min_side=1)


def png(width, height, rows=b""):
    """A grey PNG that declares a size of its own."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


@pytest.mark.parametrize("pillow, part", [(None, "30000 x 30000 pixels"), (89_478_485, "900000000 pixels")])
def test_bomb(monkeypatch, pillow, part):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pillow)
    assert pixel(png(2, 1, b"\0\x07\x07")) == (7, 7, 7)
    rejected(png(30000, 30000), part, "limit of 178956970", "make it smaller")


# ---- opening: damage


@pytest.mark.parametrize("data", [b"Dear diary,\nno photo.\n", b"\0", b"GIF89a", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"\0" * 5000])
def test_not_an_image(data):
    rejected(data, "not an image of a kind that can be read", "convert it to JPEG or PNG")


def test_empty_file():
    rejected(b"", "an empty file", "leave it out")


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("kept", [0.01, 0.3, 0.6, 0.9])
def test_cut_short(kind, kept):
    data = encode(noise(200, 150), kind)
    rejected(data[: int(kept * len(data))], "damaged", "leave it out")


FUZZED = [
    ("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("GIF", {}), ("WEBP", {}), ("TIFF", {}), ("BMP", {})
]  # fmt: skip


@pytest.mark.parametrize("kind, options", FUZZED)
def test_damage_gives_an_image_or_one_line(kind, options):
    rng = random.Random(1)
    good = encode(noise(), kind, **options)
    for _ in range(100):
        data = bytearray(good)
        for _ in range(rng.choice((1, 3, 20))):
            data[rng.randrange(rng.choice((60, len(data))))] = rng.randrange(256)
        if rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        try:
            photo = open_photo(bytes(data), "album/x.jpg", max_pixels=1_000_000, min_side=rng.choice((None, 8)))
        except InputError as error:
            assert str(error).startswith("album/x.jpg: ") and "\n" not in str(error)
        else:
            assert photo.image.mode == "RGB"


def test_out_of_memory_is_one_line(monkeypatch):
    data = encode(noise(), "PNG")

    def fail(image):
        raise MemoryError

    monkeypatch.setattr(photos, "_to_rgb", fail)
    rejected(data, "MemoryError")


# ---- opening: what stays as it was


def test_warnings_stay_inside(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)  # 300 pixels: a warning, not an error
    data = encode(Image.new("RGB", (20, 15)), "PNG")
    decode = photos._decode
    monkeypatch.setattr(photos, "_decode", lambda *arguments: time.sleep(0.01) or decode(*arguments))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        open_photo(data, "x")
        threads = [threading.Thread(target=open_photo, args=(data, "x")) for _ in range(4)]
        for thread in threads:
            thread.start()
            time.sleep(0.003)  # they overlap, in the order that would leave the wrong filters
        for thread in threads:
            thread.join()
        assert list(warnings.filters) == before
        with pytest.raises(Image.DecompressionBombWarning):
            Image.open(io.BytesIO(data))


# ---- finding


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


@pytest.mark.parametrize("name", ["../evil.jpg", "a/../../evil.jpg", "..", "/etc/evil.jpg", "C:/evil.jpg", "..\\evil.jpg", "a\\b.jpg", "a.jpg\0.txt"])
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
    source = build(tmp_path / "own", {"a.jpg": b"", "locked/b.jpg": b""})
    (source / "a.jpg").chmod(0)
    (source / "locked").chmod(0)
    if os.access(source / "a.jpg", os.R_OK):
        pytest.skip("root reads everything")
    folder = PhotoFolder(source)
    assert len(folder.bad) == 1 and "locked: cannot be listed: Permission denied" in folder.bad[0]
    with pytest.raises(InputError, match="a.jpg: cannot be read: Permission denied"):
        folder.read("a.jpg")


def test_subdirectory_that_cannot_be_listed(tmp_path, monkeypatch):
    source = build(tmp_path / "own", {"a.jpg": b"", "locked/b.jpg": b""})
    scandir = os.scandir

    def deny(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", deny)
    folder = PhotoFolder(source)
    assert folder.names == ["a.jpg"] and folder.bad[0].startswith(f"{source}/locked: cannot be listed: Permission denied")
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


def test_nothing_there(tmp_path):
    refused(tmp_path / "none", "no such directory or .zip archive")
    refused(build(tmp_path / "empty", {}), "holds no files")
    refused(build(tmp_path / "empty.zip", {}), "holds no files")
    refused(build(tmp_path / "hidden", {".x.jpg": b""}), "holds no files")
    refused(build(tmp_path / "bad", {"a\tb.jpg": b""}), "rename it")
    (tmp_path / "x.jpg").write_bytes(encode(noise(), "JPEG"))
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
