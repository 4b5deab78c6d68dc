"""Region features computed elsewhere, in the formats of the field, one image at a time.

| name       | what                                                                                   |
|------------|----------------------------------------------------------------------------------------|
| `tsv`      | bottom-up-attention: TSV of base64 fields, adaptive or fixed number of boxes           |
| `npz`      | one .npz an image: bottom-up-attention.pytorch (x, bbox) or UNITER (features, norm_bb) |
| `oscar`    | Oscar and VinVL: TSV, 2048 features and 6 box numbers a region                         |
| `scan`     | SCAN's `{split}_ims.npy` beside `{split}_caps.txt`                                     |
| `released` | the authors' `{split}_100featc32.npy` beside `{split}_caps.txt.bt`, already clustered  |
| `lmdb`     | LMDB whose values are .npz files, as UNITER's compressed ones; needs the package lmdb  |
| `store`    | a data set of this package, such as tools/extract_regions.py writes                    |

Every format is a pair of functions. ``items(paths, bad)`` finds the images, each once and in a fixed
order, without decoding their features: records that cannot be used go to ``bad``, what spoils a whole
file (it is missing, or of another format) raises InputError at once. ``decode(item)`` gives the regions
of one item, in this process or another, or raises an InputError that names the item.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Callable, Iterator, NamedTuple, Sequence

from ..bad_records import BadRecords
from . import bottom_up_tsv, lmdb_store, npz, oscar, rows, store
from .records import RegionItem, Regions


class Format(NamedTuple):
    """How to read one kind of region file, see above."""

    items: Callable[[Sequence[Path], BadRecords], Iterator[RegionItem]]
    decode: Callable[[RegionItem], Regions]


FORMATS: dict[str, Format] = {
    "tsv": Format(bottom_up_tsv.items, bottom_up_tsv.decode),
    "npz": Format(npz.items, npz.decode),
    "oscar": Format(oscar.items, oscar.decode),
    "scan": Format(partial(rows.items, rows.SCAN), rows.decode),
    "released": Format(partial(rows.items, rows.RELEASED), rows.decode),
    "lmdb": Format(lmdb_store.items, lmdb_store.decode),
    "store": Format(store.items, store.decode),
}
