"""Regions and captions of one small data set in every format that tools/prepare_data.py reads.

Image i has i + 1 regions full of i (scan, released: 2).
"""

import base64
import io
import json
import re

import numpy as np
import pytest

from inflate_shrink.data.writer import StoreWriter

RESULT = re.compile(
    r"out: (\d+) images(?: \((\d+) of them in an earlier call\))?, (\d+) captions, (\d+) records left out"
)


def base64_of(array):
    return base64.b64encode(np.asarray(array, "<f4").tobytes()).decode()


def tsv(folder, ids, dimension):
    lines = [
        f"{name}\t64\t48\t{i + 1}\t{base64_of(np.ones((i + 1, 4)))}\t{base64_of(np.full((i + 1, dimension), i))}\n"
        for i, name in enumerate(ids)
    ]
    (folder / "regions.tsv").write_text("".join(lines))
    return folder / "regions.tsv"


def oscar(folder, ids, dimension):
    arrays = [np.full((i + 1, dimension and 2054), i) for i in range(len(ids))]  # the format has one dimension; 0: none
    lines = [
        f"{name}\t{json.dumps({'num_boxes': len(array), 'features': base64_of(array)})}\n"
        for name, array in zip(ids, arrays)
    ]
    (folder / "oscar.tsv").write_text("".join(lines))
    return folder / "oscar.tsv"


def npz_bytes(i, dimension):
    file = io.BytesIO()
    np.savez(file, x=np.full((i + 1, dimension), i), bbox=np.ones((i + 1, 4)), num_bbox=i + 1, image_h=48, image_w=64)
    return file.getvalue()


def npz(folder, ids, dimension):
    for i, name in enumerate(ids):
        (folder / f"{name}.npz").write_bytes(npz_bytes(i, dimension))
    return folder


def lmdb(folder, ids, dimension):
    with (
        pytest.importorskip("lmdb").open(str(folder / "lmdb"), map_size=1 << 20) as environment,
        environment.begin(write=True) as transaction,
    ):
        for i, name in enumerate(ids):
            transaction.put(f"{name}.npz".encode(), npz_bytes(i, dimension))
    return folder / "lmdb"


def scan(folder, ids, dimension, array="train_ims.npy", captions="train_caps.txt"):
    np.save(
        folder / array, np.arange(len(ids), dtype="float32")[:, None, None] + np.zeros((1, 2, dimension), "float32")
    )
    (folder / captions).write_text("5 6 7\n" * 5 * len(ids))
    return folder


def released(folder, ids, dimension):
    return scan(folder, ids, dimension, "train_100featc32.npy", "train_caps.txt.bt")


def store(folder, ids, dimension):
    with StoreWriter(folder / "store", name="x", made_by="a test", regions=8) as writer:
        for i, name in enumerate(ids):
            writer.add_image(name, 64, 48, "", np.full((i + 1, dimension), i), np.ones((i + 1, 4)))
    return folder / "store"


REGIONS = dict(tsv=tsv, npz=npz, oscar=oscar, scan=scan, released=released, lmdb=lmdb, store=store)
IDS = [f"train-{i}" for i in range(4)]  # as scan and released name them
CAPTIONS = {
    "flickr": "".join(f"{name}.jpg#0\tA dog.\n" for name in IDS),
    "karpathy": json.dumps(
        {"images": [{"filename": f"{name}.jpg", "split": "train", "sentences": [{"raw": "A dog."}]} for name in IDS]}
    ),
    "coco": json.dumps(
        {
            "images": [{"id": i, "file_name": f"{name}.jpg"} for i, name in enumerate(IDS)],
            "annotations": [{"image_id": i, "caption": "A dog."} for i in range(4)],
        }
    ),
    "csv": "file,text\n" + "".join(f'{name}.jpg,"A dog."\n' for name in IDS),
    "tsv": "file\ttext\n" + "".join(f"{name}.jpg\tA dog.\n" for name in IDS),
    "jsonl": "".join(json.dumps({"image": f"{name}.jpg", "caption": "A dog."}) + "\n" for name in IDS),
    "json": json.dumps([{"image": f"{name}.jpg", "captions": ["A dog."]} for name in IDS]),
    "scan": "A dog.\n" * 20,
    "released": "1 5 6 7\n" * 20,
}
