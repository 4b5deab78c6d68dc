"""Make an index of a folder of photos with a CLIP, and add to it."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Callable, Iterable, Iterator

import numpy as np

from ...data.bad_records import BadRecords
from ...data.parallel import ordered_map
from ...data.partial import require_unmade
from ...errors import InputError
from ...extract.decode import open_photo
from ...extract.photos import PhotoFolder
from ..encoders import CLIP
from ..filling import add_items, whole_index
from ..index import FieldSettings, Index, IndexSettings, create_index, open_index
from ..items import PHOTOS
from ..searcher import VECTOR
from ..stages import FRAGMENTS
from .encoders import TOKENS, check_files
from .folder import VISION, copy_folder, fingerprint, read_json
from .networks import Encoded, PhotoNetwork, TextNetwork
from .pixels import Pixels, read_pixels

BATCH = 16  # photos of one call
_COMMIT_PHOTOS = 1_000  # between two commits: an interrupted call goes on from there
_SAMPLE = 256  # photos whose mean int8 is centred on
_CORES = 4  # for each process that reads photos, so that the network need not wait


@dataclass(frozen=True)
class ClipSettings:
    """precision: of :data:`inflate_shrink.kernel.PRECISIONS`; tokens: the networks' output of a vector for each token,
    for late interaction over them, "" for one vector, see :class:`.networks.TextNetwork`."""

    precision: str = "int8"
    tokens: str = ""
    seed: int = 0


def build_clip_index(
    directory: str | os.PathLike,
    clip: str | os.PathLike,
    folder: PhotoFolder,
    settings: ClipSettings = ClipSettings(),
    *,
    bad: BadRecords,
    workers: int = 0,
) -> None:
    """Make an index of all photos of a folder, whole or not at all; an interrupted call is taken up by the same call.

    The index keeps a copy of the CLIP. With ``tokens`` the photos' own vectors are a first stage, where the networks
    give them in the same dimensions.

    Args:
        clip: its folder, see :mod:`.folder`.
        bad: what to do with files that are no photos or damaged.
        workers: processes that read photos; 0: as many as the network needs.

    Raises:
        InputError: the directory exists, the CLIP is not whole or does not fit, no file is a photo, or the disk is full.
    """
    directory, clip = Path(directory), Path(clip)
    require_unmade(directory)
    made_of = {CLIP: fingerprint(clip), "data": _describe(folder), **asdict(settings)}
    with whole_index(directory, made_of) as partial:
        if not any(partial.iterdir()):
            partial.rmdir()
            _create_empty(partial, clip, folder, settings, workers)
        add_photos(partial, folder, bad=bad, workers=workers)


def add_photos(
    directory: str | os.PathLike, folder: PhotoFolder, replace: bool = False, *, bad: BadRecords, workers: int = 0
) -> int:
    """Add the photos of a folder that are not in an index yet, by the CLIP that it keeps; returns how many.

    Args:
        replace: encode those anew that are, in place of leaving them.

    Raises:
        InputError: the index is of no CLIP, a file of it has changed, or as of :func:`..filling.add_items`.
    """
    directory, data = Path(directory), _describe(folder)
    index = open_index(directory)
    if CLIP not in index.origin:
        raise InputError(
            f"{directory}: an index of a model, not of a CLIP: describe the photos with tools/extract_regions.py, and "
            "add that data set with --data"
        )
    for problem in folder.bad:
        bad.report(problem)
    check_files(index, VISION)
    network = PhotoNetwork(directory / CLIP, index.origin.mapping(CLIP).text(TOKENS), spin=True)

    def items(index: Index) -> list[tuple[str, str]]:
        outside = data["image_root"] if data["image_root"] != index.image_root else ""
        return [(name, os.path.join(outside, name)) for name in folder.names]

    def batches(index: Index, numbers: np.ndarray) -> Iterator[tuple[np.ndarray, dict]]:
        place = {folder.names[number]: number for number in numbers}
        for names, encoded in encode_photos(network, folder, list(place), bad.report, workers):
            yield np.array([place[name] for name in names]), _rows(encoded)

    return add_items(directory, items, batches, data, replace, _COMMIT_PHOTOS)


def encode_photos(
    network: PhotoNetwork,
    folder: PhotoFolder,
    names: Iterable[str],
    report: Callable[[InputError], None],
    workers: int = 0,
) -> Iterator[tuple[list[str], list[Encoded]]]:
    """Yield batches of photos, by name, and their vectors; ``report`` gets those that are no photos."""
    workers = workers or max(1, len(os.sched_getaffinity(0)) // _CORES)
    results = ordered_map(_pixels, names, workers, initializer=_open, initargs=(folder, network.pixels))
    try:
        good = _good(results, report)
        while some := list(islice(good, BATCH)):
            yield [name for name, _ in some], network(np.stack([pixels for _, pixels in some]))
    finally:
        results.close()


def _good(results: Iterator[tuple], report: Callable[[InputError], None]) -> Iterator[tuple[str, np.ndarray]]:
    for name, found in results:
        if isinstance(found, InputError):
            report(found)
        else:
            yield name, found


_process: tuple[PhotoFolder, Pixels]  # what each process reads photos of, and how


def _open(folder: PhotoFolder, pixels: Pixels) -> None:
    global _process
    _process = folder, pixels


def _pixels(name: str) -> np.ndarray:
    folder, pixels = _process
    return pixels(open_photo(folder.read(name), folder.where(name), min_side=pixels.min_side).image)


def _rows(encoded: list[Encoded]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the rows of photos by field."""
    rows = {
        FRAGMENTS: (np.concatenate([each.fragments for each in encoded]), np.array([len(e.fragments) for e in encoded]))
    }
    if encoded[0].vector is not None:
        rows[VECTOR] = np.stack([each.vector for each in encoded]), np.ones(len(encoded), np.int64)
    return rows


def _create_empty(directory: Path, clip: Path, folder: PhotoFolder, settings: ClipSettings, workers: int) -> None:
    """Make an index without photos, with a copy of the CLIP; both networks are tried before it appears."""

    def prepare(temporary: Path) -> None:
        copy_folder(clip, temporary / CLIP)

    read_pixels(clip)  # a wrong file is said before gigabytes are copied
    network = PhotoNetwork(clip, settings.tokens, spin=True)
    names = np.random.default_rng(settings.seed).permutation(folder.names)[:_SAMPLE].tolist()
    batches = encode_photos(network, folder, names, lambda problem: None, workers)  # it is reported when it is added
    sample = [each for _, some in batches for each in some]
    if not sample:
        raise InputError(f"{folder.source}: none of {len(names)} files drawn of it is a photo; nothing was written")
    (text,) = TextNetwork(clip, settings.tokens)(["a photo"])
    rows, fields = _rows(sample), {}
    if (text.vector is None) != (VECTOR not in rows) or text.fragments.shape[1] != rows[FRAGMENTS][0].shape[1]:
        raise InputError(
            f"{clip}: its networks give texts {text.fragments.shape[1]} numbers and photos "
            f"{rows[FRAGMENTS][0].shape[1]}, which are not of one space; export both with their projections (docs/clip.md)"
        )
    for name, (vectors, _) in rows.items():
        precision = settings.precision if name == FRAGMENTS else "int8"
        center = tuple(vectors.mean(0)) if precision == "int8" else None
        fields[name] = FieldSettings(precision, vectors.shape[1], center)
    model = {"codes": 0, "fingerprint": fingerprint(clip), "checkpoint": os.path.abspath(clip)}
    origin = {
        "model": {"name": _name(clip), "fragments": TOKENS if settings.tokens else 1, **model},
        **({"first": {"name": "one vector", "fragments": 1, **model}} if VECTOR in fields else {}),
        CLIP: {TOKENS: settings.tokens},
        "data": _describe(folder),
    }
    create_index(directory, IndexSettings("images", fields, origin), prepare)


def _name(clip: Path) -> str:
    """Return what a CLIP is called: what it was made of, as its config says, or its folder."""
    named = read_json(clip, "config.json").value.get("_name_or_path")
    name = named.rstrip("/").rpartition("/")[2] if isinstance(named, str) else ""
    return name if name.isascii() and name.isprintable() and name else clip.resolve().name


def _describe(folder: PhotoFolder) -> dict:
    """Return what an index says of a folder of photos."""
    root = str(folder.source.resolve())
    return {"directory": root, "split": "", "fingerprint": folder.fingerprint(), "image_root": root, PHOTOS: True}
