"""Small files of the formats of region features, as bytes."""

import base64
import io
import json

import numpy as np


def b64(array):
    return base64.b64encode(np.asarray(array, "<f4").tobytes())


def tsv_line(image_id, n, first=0, **fields):
    """A line of bottom-up-attention: n boxes (0 1 2 3, 4 5 6 7, ...), features first, first + 1, ..., D = 3."""
    parts = dict(id=str(image_id).encode(), width=b"640", height=b"480", count=str(n).encode())
    parts.update(boxes=b64(np.arange(4 * n)), features=b64(first + np.arange(3 * n)))
    return b"\t".join({**parts, **fields}.values())


def oscar_line(image_id, n, plain=False, **fields):
    """A line of VinVL with n regions of ones and boxes .1 .2 .3 .4 .2 .2, as JSON or as three fields."""
    numbers = np.tile(np.r_[np.ones(2048), 0.1, 0.2, 0.3, 0.4, 0.2, 0.2], (n, 1))
    record = {"num_boxes": n, "features": b64(numbers).decode(), **fields}
    return (f"{image_id}\t{n}\t{record['features']}" if plain else f"{image_id}\t{json.dumps(record)}").encode()


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


def npz_bytes(kind, n=2, compressed=True, **changes):
    """The bytes of a .npz: ``npz_bytes("bottom_up" or "uniter", n, key=replacement or None to leave out)``."""
    keys = {"bottom_up": bottom_up, "uniter": uniter}[kind](n, **changes)
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(
        file, **{key: value for key, value in keys.items() if value is not None}
    )
    return file.getvalue()
