"""Photos of any common kind, decoded: RGB, upright, 8 bits; a file that is none costs one InputError."""

from __future__ import annotations

import io
import logging
import os
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import InputError, in_one_line

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 178_956_970  # twice Pillow's limit for a warning, where Pillow itself refuses
# Other kinds are no photos, have no signature to tell them from text, or start other programs (EPS).
_FORMATS = ("JPEG", "MPO", "PNG", "GIF", "WEBP", "TIFF", "BMP", "JPEG2000", "AVIF", "PPM", "HEIF")
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")  # the four bytes after "ftyp" at the start of a file
_WITH_ALPHA = ("LA", "La", "PA", "P", "RGBA", "RGBa")
_UPRIGHT = {  # EXIF orientation -> what undoes it
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


class Photo(NamedTuple):
    """``image``: decoded, RGB, upright; ``width``, ``height``: upright, in pixels of the file, which ``image`` may be a
    reduction of.
    """

    image: Image.Image
    width: int
    height: int


def open_photo(data: bytes, where: str, max_pixels: int = MAX_PIXELS, min_side: int | None = None) -> Photo:
    """Decode a photo of any common kind; of several frames or pages the first.

    Transparency becomes white. 16 bits become 8; other integers and floats are taken as 0..1,
    0..255 or 0..65535, the first that holds them, or else stretched from their least to their
    greatest. Colour profiles are ignored.

    Threads take turns here, because Python keeps one list of warning filters for all of them;
    use processes to decode faster.

    Args:
        data: the whole file.
        where: what messages call it.
        max_pixels: refuse more, before decoding; so does Pillow by a limit of its own, the same by default.
        min_side: pixels of the shorter side that suffice. A larger JPEG is then decoded, several
            times faster, at a half, a quarter or an eighth, but never smaller than this.

    Raises:
        InputError: empty, not an image, damaged, cut short or too large.
    """
    from PIL import Image, UnidentifiedImageError

    if not data:
        raise InputError(f"{where}: an empty file; copy it again or leave it out")
    try:
        with _quiet():
            Image.init()
            _read_heic(data, where)
            image = Image.open(io.BytesIO(data), formats=[name for name in _FORMATS if name in Image.OPEN])
            if image.width * image.height > max_pixels:
                raise InputError(
                    f"{where}: {image.width} x {image.height} pixels, more than the limit of {max_pixels}; "
                    "make it smaller or leave it out"
                )
            return _decode(image, min_side)
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(
            f"{where}: not an image of a kind that can be read, or damaged at its start; convert it to JPEG or PNG, "
            "or leave it out"
        ) from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{where}: too many pixels: {in_one_line(error)}; make it smaller or leave it out") from error
    except Exception as error:  # damaged images make Pillow raise almost anything
        raise InputError(
            f"{where}: cut short or damaged: {in_one_line(error)}; copy it again or leave it out"
        ) from error


def _read_heic(data: bytes, where: str) -> None:
    """Let Pillow read a phone's HEIC, if this is one; raises InputError if the extra for that is not installed."""
    if data[4:8] != b"ftyp" or data[8:12] not in _HEIC:
        return
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise InputError(
            f"{where}: a HEIC photo; pip install inflate-shrink[heic] to read such, convert it to JPEG, or leave it out"
        ) from None
    register_heif_opener()


def _decode(image: Image.Image, min_side: int | None) -> Photo:
    from PIL import Image

    width, height = image.size
    if min_side is not None:
        image.draft("RGB", (min_side, min_side))  # does nothing but to a JPEG
    image.load()
    orientation = _orientation(image)  # read last, because loading may have turned a TIFF already
    image = _to_rgb(image)
    if orientation in _UPRIGHT:
        image = image.transpose(Image.Transpose[_UPRIGHT[orientation]])
    if orientation > 4:  # the photo lies on its side
        width, height = height, width
    return Photo(image, width, height)


def _orientation(image: Image.Image) -> int:
    """Return the orientation, 1 to 8 by EXIF, or 1 where that says nothing or nonsense."""
    try:
        orientation = int(image.getexif().get(0x0112, 1))
    except Exception:  # a broken EXIF block must not cost the photo
        return 1
    return orientation if 1 <= orientation <= 8 else 1


def _to_rgb(image: Image.Image) -> Image.Image:
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":
        image = _to_8_bits(image)
    elif image.mode in _WITH_ALPHA or (image.mode in ("1", "L", "RGB") and "transparency" in image.info):
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image.convert("RGB")


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Convert grey values of 16 or 32 bits or floats to mode L."""
    from PIL import Image

    values = np.asarray(image)
    flat, grey = values.reshape(-1), np.empty(values.size, np.uint8)
    low, top = 0.0, 65535.0
    if not image.mode.startswith("I;16") and image.format not in ("PNG", "PPM"):  # mode I holds 16 bits there
        finite = flat[np.isfinite(flat)]
        least, most = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        # A resampled image overshoots its range a little.
        top = next((top for top in (1.0, 255.0, 65535.0) if most <= 1.1 * top), 0.0)
        if not top or least < -0.1 * top:
            low, top = least, (most - least) or 1.0
    for start in range(0, flat.size, 1 << 20):  # the largest photos would take gigabytes at once
        part = slice(start, start + (1 << 20))
        scaled = (flat[part].astype(np.float64) - low) * (255 / top)
        grey[part] = np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0).clip(0, 255) + 0.5
    return Image.fromarray(grey.reshape(values.shape))


_LOCK = threading.Lock()
# Else a process forked meanwhile would wait for ever.
os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)
logging.getLogger("PIL").addHandler(logging.NullHandler())  # Python would print its errors where logging is not set up


@contextmanager
def _quiet():
    """Keep warnings from the user. Threads take turns, or one would restore the filters of another."""
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
