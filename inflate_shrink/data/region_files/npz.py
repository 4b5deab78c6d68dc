"""One .npz file an image, in a folder or given by name. The image id is the file's name without .npz, with sub-folders.

Links to folders are not followed.

Two sets of keys:

* bottom-up-attention.pytorch (MILVLG): ``x`` (n, D), ``bbox`` (n, 4) in pixels, ``num_bbox``, ``image_h``,
  ``image_w``. Its ``info`` is a pickle and is not opened.
* UNITER: ``features`` (n, D), ``norm_bb`` (n, 6 or 7) of which x1, y1, x2, y2 come first, as fractions of the
  image's size. The size is not in the file, so width and height are 0 and the boxes stay fractions. All
  regions are kept, whatever their ``conf``.

No pickle is ever opened: it could run code.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Iterator, Sequence

import numpy as np

from ...errors import InputError
from ..bad_records import BadRecords
from ..npy import parse_header
from ..zip_members import check_method
from .checks import MOST_NUMBERS, check_shape, regions, usable_id
from .records import RegionItem, Regions

_LARGEST = 8 * MOST_NUMBERS + 4096  # bytes of one array in float64, and its header


def items(paths: Sequence[Path], bad: BadRecords) -> Iterator[RegionItem]:
    """Yield one item a file, folders in sorted order; its payload is the path.

    Only one folder's names are in memory at a time.

    Raises:
        InputError: a path does not exist, or no .npz file is there.
    """
    for path in paths:
        path, found = Path(path), 0
        if not os.path.exists(path):
            raise InputError(f"{path}: no such file or folder; give .npz files or a folder of them")
        for found, (file, image_id) in enumerate(
            _files(path, bad) if os.path.isdir(path) else [(path, stem(path.name))], 1
        ):
            if usable_id(image_id, str(file), bad):
                yield RegionItem(image_id, str(file), str(file))
        if not found:
            raise InputError(f"{path}: holds no .npz file, nor do its sub-folders; give the folder of the region files")


def decode(item: RegionItem) -> Regions:
    """Decode a file; raise InputError if it cannot be read, lacks a key, or an array's shape or numbers are wrong."""
    return read(item.payload, item.where)


def read(file, where: str) -> Regions:
    """Read the regions of a .npz ``file``, a path or a binary file object; raise InputError."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
            if "features.npy" in names or "norm_bb.npy" in names:
                return _uniter(archive, where)
            return _bottom_up(archive, where)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{where}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # zipfile, zlib and the parser of NumPy's headers raise a dozen kinds for damaged files
        raise InputError(
            f"{where}: not a readable .npz file ({str(error)[:200] or type(error).__name__}); copy or extract it again"
        ) from error


def _bottom_up(archive: zipfile.ZipFile, where: str) -> Regions:
    features, boxes = _array(archive, "x", where), _array(archive, "bbox", where)
    count, height, width = (_whole(archive, key, where) for key in ("num_bbox", "image_h", "image_w"))
    if features.shape[:1] != (count,):
        raise InputError(f"{where}: key 'x' has shape {features.shape}, but num_bbox is {count}")
    return regions(where, features, boxes, width, height)


def _uniter(archive: zipfile.ZipFile, where: str) -> Regions:
    features, boxes = _array(archive, "features", where), _array(archive, "norm_bb", where)
    if boxes.ndim != 2 or boxes.shape[1] not in (6, 7):
        raise InputError(f"{where}: key 'norm_bb' has shape {boxes.shape}, expected (boxes, 6) or (boxes, 7)")
    return regions(where, features, boxes[:, :4])


def _array(archive: zipfile.ZipFile, key: str, where: str) -> np.ndarray:
    try:
        member = archive.getinfo(f"{key}.npy")
    except KeyError:
        raise InputError(
            f"{where}: no key {key!r}; expected x, bbox, num_bbox, image_h, image_w, or features, norm_bb"
        ) from None
    if member.file_size > _LARGEST:
        raise InputError(
            f"{where}: key {key!r} of {member.file_size} bytes, more than the limit of {_LARGEST} an image; "
            "extract it with fewer boxes"
        )
    check_method(member, f"{where}: key {key!r}")
    with archive.open(member) as file:
        shape, _, dtype = parse_header(file)
    if dtype.hasobject:
        raise InputError(
            f"{where}: key {key!r} holds Python objects, which are pickles and are not opened; "
            "save it as an array of numbers"
        )
    if any(side < 0 for side in shape) or np.prod([float(side) for side in shape]) * dtype.itemsize > member.file_size:
        raise InputError(
            f"{where}: key {key!r} claims shape {shape} but has only {member.file_size} bytes; "
            "copy or extract the file again"
        )
    check_shape(where, f"key {key!r}", shape)
    with archive.open(member) as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
        file.read(1)  # zipfile compares the checksum on reaching the end
    return array


def _whole(archive: zipfile.ZipFile, key: str, where: str) -> int:
    array = _array(archive, key, where)
    if (
        array.size != 1
        or array.dtype.kind not in "fiu"
        or not 0 < array.item() < 1e9
        or array.item() != int(array.item())
    ):
        raise InputError(f"{where}: key {key!r} is {str(array.ravel()[:4])}, expected one whole number above 0")
    return int(array.item())


def _files(folder: Path, bad: BadRecords) -> Iterator[tuple[Path, str]]:
    for parent, folders, names in os.walk(
        folder, onerror=lambda error: bad.report(f"{error.filename}: cannot be read: {error.strerror}")
    ):
        folders.sort()
        for name in sorted(names):
            if name.lower().endswith(".npz"):
                file = Path(parent, name)
                yield file, stem(file.relative_to(folder).as_posix())


def stem(name: str) -> str:
    """Return an image's id: the file's name without .npz."""
    return name[: -len(".npz")] if name.lower().endswith(".npz") else name
