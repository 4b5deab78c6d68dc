"""What a photo's bytes become, whatever is in them."""

import io
import random
import struct
import sys
import threading
import time
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from inflate_shrink.errors import InputError
from inflate_shrink.extract import decode
from inflate_shrink.extract.decode import open_photo

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


# ---- what is in the file

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
    # Text where a number belongs.
    word = b"Exif\0\0" + struct.pack("<2sHIHHHI4sI", b"II", 42, 8, 1, 0x0112, 2, 3, b"up", 0)
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
    "P with a translucent colour": (
        Image.new("RGB", (3, 2), RED).quantize(2),
        "PNG",
        {"transparency": b"\x33"},
        (255, 204, 204),
    ),
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


# ---- large photos


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
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


@pytest.mark.parametrize("pillow, part", [(None, "30000 x 30000 pixels"), (89_478_485, "900000000 pixels")])
def test_bomb(monkeypatch, pillow, part):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pillow)
    assert pixel(png(2, 1, b"\0\x07\x07")) == (7, 7, 7)
    rejected(png(30000, 30000), part, "limit of 178956970", "make it smaller")


# ---- damage


@pytest.mark.parametrize(
    "data",
    [b"Dear diary,\nno photo.\n", b"\0", b"GIF89a", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"\0" * 5000],
)
def test_not_an_image(data):
    rejected(data, "not an image of a kind that can be read", "convert it to JPEG or PNG")


def test_empty_file():
    rejected(b"", "an empty file", "leave it out")


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("kept", [0.01, 0.3, 0.6, 0.9])
def test_cut_short(kind, kept):
    data = encode(noise(200, 150), kind)
    rejected(data[: int(kept * len(data))], "damaged", "leave it out")


def test_out_of_memory_is_one_line(monkeypatch):
    data = encode(noise(), "PNG")

    def fail(image):
        raise MemoryError

    monkeypatch.setattr(decode, "_to_rgb", fail)
    rejected(data, "MemoryError")


# ---- what stays as it was


def test_warnings_stay_inside(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)  # 300 pixels: a warning, not an error
    data = encode(Image.new("RGB", (20, 15)), "PNG")
    whole = decode._decode
    monkeypatch.setattr(decode, "_decode", lambda *arguments: time.sleep(0.01) or whole(*arguments))
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


def heic(image):
    pillow_heif = pytest.importorskip(
        "pillow_heif", reason="pillow-heif is not installed: pip install inflate-shrink[heic]"
    )
    pillow_heif.register_heif_opener()
    data = io.BytesIO()
    image.save(data, "HEIF", quality=95)
    return data.getvalue()


def test_heic():
    photo = open_photo(heic(Image.new("RGB", (40, 30), (200, 30, 60))), "a.heic")
    assert photo[1:] == (40, 30) and photo.image.mode == "RGB"
    np.testing.assert_allclose(photo.image.getpixel((20, 15)), (200, 30, 60), atol=4)


def test_heic_that_is_too_large_or_cut():
    data = heic(Image.new("RGB", (40, 30)))
    with pytest.raises(InputError, match="a.heic: 40 x 30 pixels, more than the limit of 1199"):
        open_photo(data, "a.heic", max_pixels=1199)
    for end in (12, 100, len(data) - 20):
        with pytest.raises(InputError, match="^a.heic: "):
            open_photo(data[:end], "a.heic")


def test_heic_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(InputError, match=r"a.heic: a HEIC photo; pip install inflate-shrink\[heic\] to read such"):
        open_photo(b"\0\0\0\x1cftypheic" + b"\0" * 100, "a.heic")
