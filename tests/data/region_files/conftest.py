"""Reading region files as a consumer does, and small files of every format."""

import base64
import io
import json

import numpy as np
import pytest

from inflate_shrink.data.bad_records import BadRecords
from inflate_shrink.data.region_files import FORMATS
from inflate_shrink.errors import InputError


@pytest.fixture
def read():
    """``read(format, *paths, skip=False)``: {image id: Regions} and the number of bad records."""

    def _read(name, *paths, skip=False):
        bad, found = BadRecords(skip), {}
        for item in FORMATS[name].items(paths, bad):
            assert item.image_id not in found
            try:
                found[item.image_id] = FORMATS[name].decode(item)
            except InputError as error:
                bad.report(error)
        return found, bad.count

    return _read


@pytest.fixture
def refused(read):
    """``refused(format, *paths, says=[...])``: reading stops with one line that holds all the parts."""

    def _refused(name, *paths, says):
        with pytest.raises(InputError) as caught:
            read(name, *paths)
        message = str(caught.value)
        assert "\n" not in message
        for part in says:
            assert str(part) in message

    return _refused


def b64(array):
    return base64.b64encode(np.asarray(array, "<f4").tobytes())


@pytest.fixture
def tsv_line():
    """A line of bottom-up-attention: n boxes (0 1 2 3, 4 5 6 7, ...), features first, first + 1, ..., D = 3."""

    def _line(image_id, n, first=0, **fields):
        parts = dict(id=str(image_id).encode(), width=b"640", height=b"480", count=str(n).encode())
        parts.update(boxes=b64(np.arange(4 * n)), features=b64(first + np.arange(3 * n)))
        return b"\t".join({**parts, **fields}.values())

    return _line


@pytest.fixture
def oscar_line():
    """A line of VinVL with n regions of ones and boxes .1 .2 .3 .4 .2 .2, as JSON or as three fields."""

    def _line(image_id, n, plain=False, **fields):
        numbers = np.tile(np.r_[np.ones(2048), 0.1, 0.2, 0.3, 0.4, 0.2, 0.2], (n, 1))
        record = {"num_boxes": n, "features": b64(numbers).decode(), **fields}
        return (f"{image_id}\t{n}\t{record['features']}" if plain else f"{image_id}\t{json.dumps(record)}").encode()

    return _line


def bottom_up(n=2, **changes):
    """Keys of a .npz of bottom-up-attention.pytorch."""
    keys = dict(
        x=np.arange(3 * n).reshape(n, 3), bbox=np.arange(4 * n).reshape(n, 4), num_bbox=n, image_h=480, image_w=640
    )
    return {**keys, "info": np.array({"objects_id": 1}, object), **changes}


def uniter(n=2, **changes):
    """Keys of a .npz of UNITER."""
    return {
        **dict(
            features=np.ones((n, 3), np.float16),
            norm_bb=np.tile([0.1, 0.2, 0.3, 0.4, 0.2, 0.2], (n, 1)),
            conf=np.ones(n),
        ),
        **changes,
    }


@pytest.fixture
def npz_bytes():
    """The bytes of a .npz: ``npz_bytes("bottom_up" or "uniter", n, key=replacement or None to leave out)``."""

    def _bytes(kind, n=2, compressed=True, **changes):
        keys = {"bottom_up": bottom_up, "uniter": uniter}[kind](n, **changes)
        file = io.BytesIO()
        (np.savez_compressed if compressed else np.savez)(
            file, **{key: value for key, value in keys.items() if value is not None}
        )
        return file.getvalue()

    return _bytes


@pytest.fixture
def write_rows():
    """``write_rows(folder, rows, layout="scan", split="train", images=3)``: array with row i full of i, and its captions."""

    def _write(folder, rows, layout="scan", split="train", images=3, dtype=np.float32):
        suffix, captions = {"scan": ("_ims.npy", "_caps.txt"), "released": ("_100featc32.npy", "_caps.txt.bt")}[layout]
        folder.mkdir(exist_ok=True)
        np.save(folder / (split + suffix), np.arange(rows, dtype=dtype)[:, None, None] + np.zeros((rows, 2, 3), dtype))
        (folder / (split + captions)).write_text("A dog.\n" * (5 * images))
        return folder / (split + suffix)

    return _write
