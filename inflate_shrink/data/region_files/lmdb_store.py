"""LMDB with one .npz an image, as UNITER's compressed conversion writes it: key ``name.npz``, value the file's bytes.

The image id is the key without .npz; the keys inside are those of :mod:`.npz`. The package ``lmdb`` is needed.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Iterator, Sequence

from ...errors import InputError
from ..bad_records import BadRecords
from . import npz
from .checks import usable_id
from .records import RegionItem, Regions

_KEYS = b"__keys__"  # UNITER's list of the other keys
_LZ4 = b"\x04\x22\x4d\x18"


def items(paths: Sequence[Path], bad: BadRecords) -> Iterator[RegionItem]:
    """Yield one item a key, in the order of the keys; its payload is the value.

    Raises:
        InputError: lmdb is not installed, a path is no LMDB or is cut short, or its values are msgpack.
    """
    try:
        import lmdb
    except ImportError:
        raise InputError("reading LMDB needs the package lmdb; pip install lmdb") from None
    for path in map(Path, paths):
        try:
            with _open(lmdb, path) as environment, environment.begin() as transaction:
                images = ((key, value) for key, value in transaction.cursor() if key != _KEYS)
                for number, (key, value) in enumerate(images):
                    if number == 0:
                        _check_kind(path, value)
                    yield from _item(path, key, value, bad)
        except lmdb.Error as error:
            raise InputError(f"{path}: not a readable LMDB ({error}); give the folder that holds data.mdb") from error


def decode(item: RegionItem) -> Regions:
    """Decode the value of a key; raise InputError as :func:`.npz.decode` does."""
    return npz.read(io.BytesIO(item.payload), item.where)


def _open(lmdb, path: Path):
    if not os.path.exists(path):
        raise InputError(f"{path}: no such LMDB; give the folder that holds data.mdb")
    environment = lmdb.open(str(path), subdir=os.path.isdir(path), readonly=True, lock=False, readahead=False)
    used = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
    size = os.path.getsize(path / "data.mdb" if os.path.isdir(path) else path)
    if size < used:  # reading a mapped page that is not there would kill the process
        environment.close()
        raise InputError(f"{path}: uses {used} bytes, the file has {size}; it is cut short, copy it again")
    return environment


def _check_kind(path: Path, value: bytes) -> None:
    if value.startswith(_LZ4) or 0x80 <= ord(value[:1] or b"\0") <= 0x8F:
        raise InputError(
            f"{path}: holds msgpack or lz4 values, expected the bytes of .npz files; "
            "convert the .npz files to LMDB with"
            " compression, or read them themselves (format npz)"
        )


def _item(path: Path, key: bytes, value: bytes, bad: BadRecords) -> Iterator[RegionItem]:
    name = key.decode("utf-8", "surrogateescape")
    where = f"{path}: key {name[:200]!r}"
    image_id = npz.stem(name)
    if usable_id(image_id, where, bad):
        yield RegionItem(image_id, where, value)
