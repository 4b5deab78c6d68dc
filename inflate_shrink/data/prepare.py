"""Captions and region files to a data set: match them, cluster each image's regions, write.

Two passes over the region files. The first only names the images, so that whatever does
not fit is said before anything is written; the second decodes and clusters, in worker
processes, one image at a time.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Callable, Collection, Iterator, NamedTuple, Sequence

from ..digest import hex_digest
from ..errors import InputError
from .bad_records import BadRecords
from .captions.records import Caption
from .extractors import EXTRACTION, carried_extraction, whole_first
from .fill import Reader, fill_store
from .image_ids import ImageIds
from .partial import require_unmade
from .region_files import FORMATS
from .region_files.records import RegionItem
from .reporting import reported
from .store import open_store
from .writer import StoreWriter

TRAIN = "train"  # the split whose captions make a vocabulary, and whose mirrored photos are kept


class RegionSource(NamedTuple):
    """Region files: paths, their format's name, what extracted them, and the folder of their photos ("": unknown).

    extractions: of data sets of ours, what their ``meta.json`` have under :data:`.extractors.EXTRACTION`, None where
        there is nothing.
    mirrored: whether one of those data sets has mirrored photos.
    """

    paths: Sequence[Path]
    format: str
    extractor: str
    image_root: str = ""
    extractions: Sequence[dict | None] = ()
    mirrored: bool = False


class Prepared(NamedTuple):
    """``images`` written, ``resumed`` of them in an earlier call, the ``captions`` that have one, and images
    ``without`` captions, left out.
    """

    images: int
    resumed: int
    captions: list[Caption]
    without: int


def region_source(paths: Sequence[str], format: str, extractor: str) -> RegionSource:
    """Return what :func:`prepare` reads regions from; a data set of ours tells its extractor and photos itself.

    Raises InputError if a path is missing, or if data sets of different extractors are given.
    """
    for path in paths:
        if not os.path.exists(path):
            raise InputError(f"{path}: no such file or directory of regions; check --regions")
    root, extractions, mirrored = "", [], False
    if format == "store":
        stores = [open_store(path) for path in paths]
        extractor = _the_same(paths, "extractor", [str(store.meta.get("extractor") or "") for store in stores])
        roots = [str(store.image_root) if any(store.image_files) else "" for store in stores]
        root = _the_same(paths, "image_root", roots)
        extractions = [store.meta.get(EXTRACTION) for store in stores]
        mirrored = any(store.mirrored_regions is not None for store in stores)
    return RegionSource([Path(path) for path in paths], format, extractor, root, extractions, mirrored)


def _the_same(paths: Sequence[str], key: str, found: list[str]) -> str:
    if len(set(found)) > 1:
        raise InputError(
            f"{', '.join(paths)}: their {key} differs ({'; '.join(sorted(set(found)))});"
            " regions of different extractors do not mix, nor photos of different folders"
        )
    return found[0]


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
    unused: Collection[str] = (),
    seed: int | None = None,
    caption_files: Sequence[str] = (),
) -> Prepared:
    """Write a new data set; an interrupted call is taken up by the same call.

    Mirrored photos are kept of the images of the split 'train' alone, because only training reads them.

    Args:
        captions: each with its split.
        vocabulary: from the captions whose images have regions to the tokens of ``vocab.txt``; called before
            the features are read.
        regions: clusters of an image.
        workers: processes that decode and cluster.
        bad: what to do with captions without regions, duplicates, damaged records and
            features of another dimension than the first image's.
        unused: images that have captions but belong to no split; their regions are passed over.
        seed: that the splits were drawn with, and
        caption_files: what the captions were read from, both for ``meta.json``.

    Raises:
        InputError: the first bad record if ``bad`` does not skip, or no usable image.
    """
    kept = int(bool(source.extractions) and all(map(whole_first, source.extractions)))
    if regions < 1 + kept:
        beside = ", beside the whole photo" if kept else ""
        raise InputError(f"the number of clusters must be {1 + kept} or more{beside}, found {regions}")
    require_unmade(Path(directory))  # StoreWriter says so too, but the first pass may take minutes
    wanted, without = _match(captions, source, bad, unused)
    learned = {caption.image_id for caption in captions if caption.split == TRAIN}
    extraction = carried_extraction(source.extractions, regions, dtype)
    tokens = vocabulary([caption for caption in captions if caption.image_id in wanted])
    with StoreWriter(
        directory,
        name=Path(directory).name,
        made_by="tools/prepare_data.py",
        extractor=source.extractor,
        clustering=f"k-means to {regions}",
        regions=regions,
        dtype=dtype,
        seed=seed,
        extra={
            "image_root": source.image_root,
            "caption_files": list(caption_files),
            **({EXTRACTION: extraction} if extraction else {}),
        },
        inputs={
            "files": [_fingerprint(path) for path in source.paths],
            "format": source.format,
            "images": _digest(list(wanted)),
            **({"mirrored": _digest(sorted(learned))} if source.mirrored else {}),
        },
        mirrored=source.mirrored,
    ) as writer:
        items, arguments = _items(source, wanted, learned), (source.format,)
        how = dict(task="prepare", workers=workers, bad=bad, kept=kept)
        fill_store(writer, items, len(wanted), _decoder, arguments, **how)
        if not len(writer):
            raise InputError(
                f"{_names(source)}: none of the {len(wanted)} images with captions has usable regions; "
                "nothing was written"
            )
        kept = [caption for caption in captions if caption.image_id in writer]
        for caption in kept:
            writer.add_caption(caption.split, caption.image_id, caption.text)
        writer.write_vocabulary(tokens)
        return Prepared(len(writer), writer.resumed, kept, without)


def split_sizes(captions: list[Caption]) -> str:
    """Return ``train: 6000 images, 30000 captions; ...``."""
    texts = Counter(caption.split for caption in captions)
    images = Counter(split for split, _ in {(caption.split, caption.image_id) for caption in captions})
    return "; ".join(f"{split}: {images[split]} images, {count} captions" for split, count in texts.items())


def _match(
    captions: list[Caption], source: RegionSource, bad: BadRecords, unused: Collection[str]
) -> tuple[dict[str, str], int]:
    """Match the images of captions and regions, and report what does not fit.

    Returns:
        the place (``where``) of the regions of each image id, and how many images with regions have no captions.
    """
    first_caption: dict[str, str] = {}
    for caption in captions:
        first_caption.setdefault(caption.image_id, caption.where)
    ids, found, without = ImageIds([*first_caption, *unused]), {}, 0
    for item in reported(FORMATS[source.format].items(source.paths, bad), "find images"):
        image_id = ids.match(item.image_id)
        if image_id is None:
            without += 1  # this is usual: Flickr30K has regions of 769 images that Karpathy's captions leave out
        elif image_id not in first_caption:
            continue
        elif image_id in found:
            bad.report(f"{item.where}: image {item.image_id!r} is already at {found[image_id]}; ids must be unique")
        else:
            found[image_id] = item.where
    for image_id, where in first_caption.items():
        if image_id not in found:
            bad.report(
                f"{where}: image {image_id!r} has no regions in {_names(source)}; "
                "extract them or leave its captions out"
            )
    if not found:
        raise InputError(f"no image of the captions has regions in {_names(source)}; do both name their images alike?")
    return found, without


def _items(source: RegionSource, wanted: dict[str, str], mirrored: Collection[str]) -> Iterator[RegionItem]:
    """Yield the items that the first pass chose, named as the captions name them; ``mirrored``: the images that are
    wanted mirrored too.
    """
    chosen = {where: image_id for image_id, where in wanted.items()}
    for item in FORMATS[source.format].items(source.paths, _Silent()):
        image_id = chosen.pop(item.where, None)  # an item is taken once, though a path may be given twice
        if image_id is not None:
            yield item._replace(image_id=image_id, mirrored=image_id in mirrored)


class _Silent(BadRecords):
    """For the second pass: the first has told everything."""

    def report(self, message: object) -> None:
        pass


def _decoder(format: str) -> Reader:
    return FORMATS[format].decode


def _names(source: RegionSource) -> str:
    return ", ".join(map(str, source.paths))


def _fingerprint(path: Path) -> list:
    """Return a name, and size and time of the file or of all files in the folder."""
    if not path.is_dir():
        return [str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns]
    found = {}
    for parent, _, names in os.walk(path):
        for name in names:
            status = os.lstat(os.path.join(parent, name))
            found[os.path.join(parent, name)] = status.st_size, status.st_mtime_ns
    return [str(path.resolve()), _digest(dict(sorted(found.items())))]


def _digest(thing: list | dict) -> str:
    return hex_digest([json.dumps(thing).encode()])
