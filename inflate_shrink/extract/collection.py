"""A folder of photos to a data set of clustered regions, without captions: what can be searched, or given captions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..data.bad_records import BadRecords
from ..data.extractors import EXTRACTION, same_extractor
from ..data.fill import fill_store
from ..data.npy import open_npy
from ..data.region_files.records import RegionItem, Regions
from ..data.store import Store, open_store
from ..data.verify import verify_store
from ..data.writer import FILE_HASHES, StoreWriter
from ..digest import hex_digest
from ..errors import InputError, attempt
from .extractor import Extractor, ExtractorSettings
from .photos import PhotoFolder
from .record import extraction_record

_DTYPE = "float16"  # the features on disk


class Collected(NamedTuple):
    """``photos`` described, ``resumed`` of them in an earlier call, and ``reused`` from another data set."""

    photos: int
    resumed: int
    reused: int


def extract_collection(
    folder: PhotoFolder,
    directory: str | os.PathLike,
    settings: ExtractorSettings,
    *,
    regions: int = 32,
    workers: int = 1,
    bad: BadRecords,
    reuse: str | os.PathLike = "",
    mirrored: bool = False,
    batch: int = 1,
) -> Collected:
    """Describe every photo of ``folder`` in a new data set; an interrupted call is taken up by the same call.

    Args:
        regions: clusters of a photo.
        workers: processes; each opens the networks itself.
        bad: what to do with files that are no photos or damaged.
        reuse: a data set that this function made with the same settings and number of regions. Photos whose files
            have the same bytes as one of its photos, whatever their names, are taken from there and not described
            again; what is written is the same.
        mirrored: describe every photo mirrored left to right too, for training.
        batch: photos at once in each process; those of one size are one call of the backbone.

    Raises:
        InputError: a network that does not fit, a data set to reuse that is of another extractor, no usable photo,
            or the first bad one if ``bad`` does not skip.
    """
    kept = int(settings.whole)
    if regions < 1 + kept:
        beside = ", one of them the whole photo" if kept else ""
        raise InputError(f"the number of regions must be {1 + kept} or more{beside}, found {regions}")
    extractor, clustering = Extractor(settings).check(), f"k-means to {regions}"
    if reuse:
        _check_reusable(reuse, extractor, clustering, mirrored)
    for problem in folder.bad:
        bad.report(problem)
    with StoreWriter(
        directory,
        name=Path(directory).name,
        made_by="tools/extract_regions.py",
        extractor=extractor,
        clustering=clustering,
        regions=regions,
        dtype=_DTYPE,
        extra={"image_root": str(folder.source.resolve()), EXTRACTION: extraction_record(settings, regions, _DTYPE)},
        inputs={"photos": folder.fingerprint()},
        file_hashes=True,
        mirrored=mirrored,
    ) as writer:
        items = (RegionItem(name, folder.where(name), None) for name in folder.names)
        arguments = folder, settings, regions, reuse, mirrored
        how = dict(task="extract", workers=workers, bad=bad, kept=kept, batch=batch)
        fill_store(writer, items, len(folder.names), _PhotoReader, arguments, **how)
        if not len(writer):
            raise InputError(
                f"{folder.source}: none of its {len(folder.names)} files is a photo that can be described; "
                "nothing was written"
            )
    reused = np.isin(_file_hashes(open_store(directory)), _file_hashes(open_store(reuse))).sum() if reuse else 0
    return Collected(len(writer), writer.resumed, int(reused))


class _PhotoReader:
    """Callable: an item, whose id is a photo's name, to its clustered regions, described here or taken from the data
    set ``reuse``.
    """

    def __init__(
        self,
        folder: PhotoFolder,
        settings: ExtractorSettings,
        regions: int,
        reuse: str | os.PathLike,
        mirrored: bool,
    ):
        self._folder, self._extractor, self._regions, self._mirrored = folder, Extractor(settings), regions, mirrored
        self._known: dict[int, int] = {}  # the hash of a photo's file -> its row in the data set to reuse
        if reuse:
            self._store = open_store(reuse)
            self._known = {file_hash: row for row, file_hash in enumerate(_file_hashes(self._store).tolist())}

    def __call__(self, item: RegionItem) -> Regions:
        (found,) = self.batch([item])
        if isinstance(found, InputError):
            raise found
        return found

    def batch(self, items: list[RegionItem]) -> list[Regions | InputError]:
        """Return the regions of each item, or what is wrong with its file."""
        read = {item: attempt(self._folder.read, item.image_id) for item in items}
        hashes = {item: int(hex_digest([data]), 16) for item, data in read.items() if isinstance(data, bytes)}
        new = [item for item, file_hash in hashes.items() if file_hash not in self._known]
        files = [(read[item], item.where) for item in new]
        found = dict(zip(new, self._extractor.describe_all(files, self._mirrored, self._regions)))
        for item, file_hash in hashes.items():
            regions = found[item] if item in found else self._reused(self._known[file_hash])
            if not isinstance(regions, InputError):
                regions = regions._replace(file=item.image_id, file_hash=file_hash)
            read[item] = regions
        return list(read.values())

    def _reused(self, row: int) -> Regions:
        store = self._store
        (features,), (count,) = store.read_regions([row])
        found = Regions(features[:count], store.boxes[row, :count], *store.image_sizes[row].tolist())
        if self._mirrored:
            (features,), (count,) = store.read_regions([row + len(store.regions)])
            found = found._replace(mirrored=features[:count])
        return found


def _check_reusable(directory: str | os.PathLike, extractor: str, clustering: str, mirrored: bool) -> None:
    """Raise InputError if the regions of a data set are damaged, of another extractor or clustering, or not of the
    ``mirrored`` photos too.
    """
    store = open_store(directory)
    for key, expected in (("extractor", extractor), ("clustering", clustering)):
        found = store.regions_made_by[key]
        if not found or not same_extractor(found, expected):
            raise InputError(
                f"{store.directory}: its {key} is {found!r}, here it is {expected!r}, so nothing of it can be reused;"
                " give the same networks and options, or describe all photos again without --reuse"
            )
    if mirrored and not store.with_mirrored(np.arange(len(store.regions))).all():
        raise InputError(
            f"{store.directory}: its photos were not described mirrored, so nothing of it can be reused; "
            "leave out --mirrored, or describe all photos again without --reuse"
        )
    _file_hashes(store)
    verify_store(directory)


def _file_hashes(store: Store) -> np.ndarray:
    """Return the hash of each photo's file (N,) uint64; raises InputError if the data set has none."""
    path = store.directory / FILE_HASHES
    if not path.is_file():
        raise InputError(
            f"{path}: missing, so it is not known which photos are unchanged: "
            "the data set is of an earlier version or not of tools/extract_regions.py; "
            "describe all photos again without --reuse"
        )
    return open_npy(path, store.region_counts.shape, "uint64")
