"""Captions and region files to a data set: match them, cluster each image's regions, write.

Two passes over the region files. The first only names the images, so that whatever does
not fit is said before anything is written; the second decodes and clusters, in worker
processes, one image at a time.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Callable, Iterator, NamedTuple, Sequence

import numpy as np

from ..errors import InputError
from .bad_records import BadRecords
from .captions.records import Caption
from .clustering import cluster_regions
from .image_ids import ImageIds
from .parallel import ordered_map
from .region_files import FORMATS
from .region_files.records import RegionItem
from .reporting import reported
from .store import open_store
from .writer import StoreWriter


class RegionSource(NamedTuple):
    """Region files: paths, their format's name, what extracted them, and the folder of their photos ("": unknown)."""

    paths: Sequence[Path]
    format: str
    extractor: str
    image_root: str = ""


class Prepared(NamedTuple):
    """``images`` written, ``resumed`` of them in an earlier call, and the ``captions`` that have one."""

    images: int
    resumed: int
    captions: list[Caption]


def region_source(paths: Sequence[str], format: str, extractor: str) -> RegionSource:
    """What :func:`prepare` reads regions from; a data set of ours tells its extractor and photos itself.

    Raises InputError if a path is missing, or if data sets of different extractors are given.
    """
    for path in paths:
        if not os.path.exists(path):
            raise InputError(f"{path}: no such file or directory of regions; check --regions")
    root = ""
    if format == "store":
        metas = [open_store(path).meta for path in paths]
        for key in ("extractor", "image_root"):
            found = {meta.get(key, "") for meta in metas}
            if len(found) > 1:
                raise InputError(f"{', '.join(paths)}: their {key} differs ({'; '.join(sorted(found))}); regions of different extractors do not mix, nor photos of different folders")
        extractor, root = metas[0].get("extractor", ""), metas[0].get("image_root", "")
    return RegionSource([Path(path) for path in paths], format, extractor, root)


def prepare(
    directory: str | os.PathLike,
    captions: list[Caption],
    source: RegionSource,
    vocabulary: Callable[[list[Caption]], list[str]],
    *,
    regions: int = 32,
    dtype: str = "float16",
    workers: int = 1,
    bad: BadRecords,
) -> Prepared:
    """Write a new data set; an interrupted call is taken up by the same call.

    Args:
        captions: each with its split.
        vocabulary: from the captions that were kept to the tokens of ``vocab.txt``.
        regions: clusters of an image.
        workers: processes that decode and cluster.
        bad: what to do with images without captions, captions without regions, duplicates, and damaged records.

    Raises:
        InputError: the first bad record if ``bad`` does not skip, or features of two dimensions.
    """
    wanted = _match(captions, source, bad)
    with StoreWriter(
        directory,
        name=Path(directory).name,
        made_by="tools/prepare_data.py",
        extractor=source.extractor,
        clustering=f"k-means to {regions}",
        regions=regions,
        dtype=dtype,
        extra={"image_root": source.image_root},
        inputs={"files": [_fingerprint(path) for path in source.paths], "format": source.format},
    ) as writer:
        left = (item for item in _items(source, wanted) if item.image_id not in writer)
        results = ordered_map(_decode, left, workers, initializer=_open, initargs=(source.format, regions))
        for item, result in reported(results, "prepare", len(wanted), len(writer)):
            try:
                if isinstance(result, InputError):
                    raise result
                writer.add_image(item.image_id, *result)
            except InputError as error:
                bad.report(error if isinstance(result, InputError) else f"{item.where}: {error}")
        kept = [caption for caption in captions if caption.image_id in writer]
        for caption in kept:
            writer.add_caption(caption.split, caption.image_id, caption.text)
        writer.write_vocabulary(vocabulary(kept))
        return Prepared(len(writer), writer.resumed, kept)


def split_sizes(captions: list[Caption]) -> str:
    """``train: 6000 images, 30000 captions; ...``."""
    texts = Counter(caption.split for caption in captions)
    images = Counter(split for split, _ in {(caption.split, caption.image_id) for caption in captions})
    return "; ".join(f"{split}: {images[split]} images, {count} captions" for split, count in texts.items())


def _match(captions: list[Caption], source: RegionSource, bad: BadRecords) -> dict[str, str]:
    """Image id of the captions -> ``where`` of its regions. Reports what does not fit."""
    first_caption: dict[str, str] = {}
    for caption in captions:
        first_caption.setdefault(caption.image_id, caption.where)
    ids, found = ImageIds(first_caption), {}
    for item in FORMATS[source.format].items(source.paths, bad):
        image_id = ids.match(item.image_id)
        if image_id is None:
            bad.report(f"{item.where}: image {item.image_id!r} has no captions; add some or leave it out")
        elif image_id in found:
            bad.report(f"{item.where}: image {item.image_id!r} is already at {found[image_id]}; ids must be unique")
        else:
            found[image_id] = item.where
    for image_id, where in first_caption.items():
        if image_id not in found:
            bad.report(f"{where}: image {image_id!r} has no regions in {', '.join(map(str, source.paths))}; extract them or leave its captions out")
    if not found:
        raise InputError(f"no image of the captions has regions in {', '.join(map(str, source.paths))}; do both name their images alike?")
    return found


def _items(source: RegionSource, wanted: dict[str, str]) -> Iterator[RegionItem]:
    """The items that the first pass chose, named as the captions name them."""
    chosen = {where: image_id for image_id, where in wanted.items()}
    for item in FORMATS[source.format].items(source.paths, _Silent()):
        if item.where in chosen:
            yield item._replace(image_id=chosen[item.where])


class _Silent(BadRecords):
    """For the second pass: the first has told everything."""

    def __init__(self):
        super().__init__(skip=True)

    def report(self, message: object) -> None:
        pass


_process: tuple[Callable, int]  # decode and number of clusters, in each process


def _open(format: str, regions: int) -> None:
    global _process
    _process = FORMATS[format].decode, regions


def _decode(item: RegionItem) -> tuple:
    """Width, height, file, clustered regions (n, D) and boxes (n, 4): what StoreWriter.add_image takes after the id."""
    decode, regions = _process
    found = decode(item)
    try:
        centres, boxes, count = cluster_regions(found.features, found.boxes, regions)
    except InputError as error:
        raise InputError(f"{item.where}: {error}") from error
    return found.width, found.height, found.file, centres[:count].astype(np.float32), boxes[:count]


def _fingerprint(path: Path) -> list:
    stat = path.stat()
    return [str(path.resolve()), stat.st_size, stat.st_mtime_ns]
