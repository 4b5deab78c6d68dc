"""Make a search index of a data set with a checkpoint, and add to it."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Iterator, Sequence

import numpy as np
import paddle

from ..data.partial import require_unmade
from ..data.store import Store
from ..engine.checkpoint import Checkpoint
from ..engine.encode import image_batches, text_batches
from ..errors import InputError
from ..kernel import nearest_centroids
from ..model.encoder import DualEncoder
from .centroids import SAMPLE, centroid_count, read_centroids, spherical_kmeans
from .encoder.export import add_onnx, export_encoder
from .encoder.files import META, ONNX
from .encoders import ENCODER, FIRST_ENCODER, FIRST_IMAGE_ENCODER, IMAGE_ENCODER
from .filling import add_items, whole_index
from .fit_stage import fit_stage, rows_that_count
from .index import LANES, UINT16, FieldSettings, Index, IndexSettings, IndexWriter, create_index, open_index
from .items import chosen_items, item_name
from .photos import recorded
from .searcher import CENTROIDS, NEAREST, VECTOR
from .stages import FITTED, FRAGMENTS, StageFit, fitted_vectors, read_fit, update_budgets, write_fit

_SIDES = {"images": "text", "captions": "image"}  # the queries of an index of each kind
CENTER_SAMPLE = 16_384  # int8 is centred on the mean of so many rows
_WEIGHTS = ("fingerprint", "codes", "fragments", "score_padding")  # the keys of a model in an origin that are compared
# Items added between two commits: a build or an addition that is interrupted goes on from there.
_COMMIT_ITEMS = 100_000


@dataclass(frozen=True)
class BuildSettings:
    """What an index holds: "images" or "captions"; precision: of :data:`inflate_shrink.kernel.PRECISIONS`; centroids:
    their number, 0 for none, -1 for as many as suit the collection; onnx: also export the encoders for onnxruntime;
    photos: keep the encoder of images in an index of images, which is then also searched by a photo; stage_bits: of a
    number of the fitted first stage of an index of images, 8 or 4, 0 for no such stage."""

    holds: str = "images"
    precision: str = "int8"
    centroids: int = 0
    onnx: bool = False
    photos: bool = False
    stage_bits: int = 0
    seed: int = 0


class Models:
    """The checkpoint whose fragments are indexed, and the F of the first stage, if any.

    Raises:
        InputError: one of them does not score by late interaction, the first stage's is no F, or they read captions
            differently.
    """

    def __init__(self, exact: Checkpoint, first: Checkpoint | None = None):
        self.exact, self.first = exact, first
        for checkpoint in self.all():
            scoring = checkpoint.config.model.scoring
            if scoring != "late_interaction":
                raise InputError(
                    f"{checkpoint.directory}: its model.scoring is {scoring}; this index takes late_interaction only"
                )
        if first is not None and first.config.model.fragments != 1:
            raise InputError(
                f"{first.directory}: keeps {first.config.model.fragments} fragments; "
                "the first stage takes a model with one, such as B-F"
            )
        if first is not None and first.tokenizer().key != exact.tokenizer().key:
            raise InputError(
                f"{exact.directory} and {first.directory} have different vocabularies, text lengths or tokens; "
                "take models of the same data"
            )

    def all(self) -> list[Checkpoint]:
        """Return the model of the exact stage, and that of the first stage if there is one."""
        return [self.exact, *([self.first] if self.first else [])]

    def open_data(self, directory: str | os.PathLike) -> Store:
        """Open a data set; raises InputError if its regions are not those that each model was trained on."""
        return [checkpoint.open_data(directory) for checkpoint in self.all()][0]

    def describe(self) -> dict:
        """Return JSON values for the index's origin."""
        return {name: checkpoint.origin() for name, checkpoint in zip(("model", "first"), self.all())}

    def batches(self, store: Store, holds: str, chosen: np.ndarray) -> Iterator[list[tuple[np.ndarray, np.ndarray]]]:
        """Yield for each batch of items, and for each model, the rows (R, d) float32 that count and how many each item
        has, (n,).
        """
        models = [(checkpoint, checkpoint.load_model()) for checkpoint in self.all()]
        streams = [_fragments(checkpoint, model, store, holds, chosen) for checkpoint, model in models]
        yield from map(list, zip(*streams))


def build_index(
    directory: str | os.PathLike,
    models: Models,
    data_dir: str | os.PathLike,
    split: str = "",
    settings: BuildSettings = BuildSettings(),
) -> None:
    """Make an index of a split's images or captions ("": of all), whole or not at all.

    Interrupted, killed or out of disk it leaves what it committed in a hidden directory beside (see
    :func:`..data.partial.partial_path`), and the same call goes on from there.

    Raises:
        InputError: the directory exists, the data do not fit the models, there is no such split, or the disk is full.
    """
    directory = Path(directory)
    require_unmade(directory)
    if settings.centroids and (settings.holds == "captions" or models.first):
        raise InputError(
            "centroids are the first stage of an index of images without an F: leave out --centroids, "
            "or --first and --items captions"
        )
    if settings.photos and settings.holds == "captions":
        raise InputError("an index of captions is searched by a photo as it is; leave out --photos")
    if settings.stage_bits and (settings.holds == "captions" or settings.centroids or models.first):
        raise InputError(
            "stages are fitted to an index of images, and need neither an F nor centroids: leave out --items captions, "
            "--first and --centroids, or --stages"
        )
    store = models.open_data(data_dir)
    chosen = chosen_items(store, settings.holds, split)
    if settings.centroids < 0:
        fragments = len(chosen) * models.exact.config.model.fragments_of(store.regions.shape[1])
        settings = replace(settings, centroids=centroid_count(fragments))
    data = _describe(store, settings.holds, split)
    made_of = {**models.describe(), "data": data, "paddle": paddle.__version__, **asdict(settings)}
    with whole_index(directory, made_of) as partial:
        if not any(partial.iterdir()):
            partial.rmdir()
            stage = fit_stage(models.exact, store, chosen, settings) if settings.stage_bits else None
            create_empty(partial, models, data, settings, _sample(models, store, chosen, settings), stage)
        _add(partial, models, store, split)
        if settings.stage_bits:
            update_budgets(partial)


def create_empty(
    directory: str | os.PathLike,
    models: Models,
    data: dict,
    settings: BuildSettings,
    sample: Sequence[np.ndarray],
    stage: StageFit | None = None,
) -> None:
    """Make an index without items, with the encoders of its queries.

    Args:
        data: what the index says of its data, ``image_root`` among it.
        sample: for each model some (R, d) float32 rows of what the index will hold: int8 is centred on their mean, and
            their centroids are those of the first stage.
        stage: of :func:`.fit_stage.fit_stage`.
    """
    fields = {}
    for name, checkpoint, rows in zip((FRAGMENTS, VECTOR), models.all(), sample):
        precision = settings.precision if name == FRAGMENTS else "int8"
        fields[name] = FieldSettings(
            precision, checkpoint.config.model.hidden, tuple(rows.mean(0)) if precision == "int8" else None
        )
    if stage:
        precision = next(name for name, bits in LANES.items() if bits == settings.stage_bits)
        fields[FITTED] = FieldSettings(precision, stage.fit.rank)
    centroids = None
    if settings.centroids:
        fields[NEAREST] = FieldSettings(UINT16, 1)
        centroids = spherical_kmeans(sample[0], settings.centroids, settings.seed)

    def prepare(temporary: Path) -> None:
        for name, checkpoint in zip((ENCODER, FIRST_ENCODER), models.all()):
            export_encoder(checkpoint, temporary / name, _SIDES[settings.holds], settings.onnx)
        for name, checkpoint in zip((IMAGE_ENCODER, FIRST_IMAGE_ENCODER), models.all() if settings.photos else []):
            export_encoder(checkpoint, temporary / name, "image", settings.onnx)
        if centroids is not None:
            np.save(temporary / CENTROIDS, centroids)
        if stage:
            write_fit(temporary, stage)

    origin = {**models.describe(), "data": data, "paddle": paddle.__version__}
    create_index(directory, IndexSettings(settings.holds, fields, origin), prepare)


def add_to_index(
    directory: str | os.PathLike, models: Models, data_dir: str | os.PathLike, split: str = "", replace: bool = False
) -> int:
    """Add a split's items ("": all) that are not in the index yet; returns how many.

    Args:
        replace: encode those anew that are, in place of leaving them.

    Raises:
        InputError: the index is of other models, or as of :func:`build_index`.
    """
    index = open_index(directory)
    given = models.describe()
    for name in ("model", "first"):
        found = _weights(given.get(name))
        expected = _weights(index.origin.mapping(name).values(*_WEIGHTS) if name in index.origin else None)
        if found != expected:
            raise InputError(
                f"{directory}: made with weights {expected} for --{'checkpoint' if name == 'model' else name}, "
                f"given were {found}; give the same checkpoint, or build another index"
            )
    added = _add(Path(directory), models, models.open_data(data_dir), split, replace)
    if FITTED in index.settings.fields:
        update_budgets(Path(directory))
    return added


def add_onnx_encoders(directory: str | os.PathLike) -> list[str]:
    """Add to an index the ONNX files of its encoders, made of their Paddle graphs; return the names of those added.

    Raises:
        InputError: there is no such index, another process writes it, or as of :func:`.encoder.export.add_onnx`.
    """
    with IndexWriter(directory) as writer:
        files = open_index(directory).manifest.files
        encoders = [
            name
            for name in (ENCODER, FIRST_ENCODER, IMAGE_ENCODER, FIRST_IMAGE_ENCODER)
            if f"{name}/{META}" in files and f"{name}/{ONNX}" not in files
        ]
        for name in encoders:
            add_onnx(Path(directory, name))
        writer.add_constant_files([f"{name}/{ONNX}" for name in encoders])
    return encoders


def _add(directory: Path, models: Models, store: Store, split: str, replace: bool = False) -> int:
    holds = open_index(directory).settings.holds
    chosen, data = chosen_items(store, holds, split), _describe(store, holds, split)

    def items(index: Index) -> list[tuple[str, str]]:
        outside = data["image_root"] if data["image_root"] != index.image_root else ""
        return [item_name(store, holds, item, outside) for item in chosen]

    def batches(index: Index, numbers: np.ndarray) -> Iterator[tuple[np.ndarray, dict]]:
        fields, done = index.settings.fields, 0
        centroids = read_centroids(directory / CENTROIDS, fields[FRAGMENTS].dim) if NEAREST in fields else None
        stage = read_fit(index) if FITTED in fields else None
        for batch in models.batches(store, holds, chosen[numbers]):
            rows = dict(zip((FRAGMENTS, VECTOR), batch))
            if centroids is not None:
                rows[NEAREST] = nearest_centroids(batch[0][0], centroids), batch[0][1]
            if stage is not None:
                vectors = fitted_vectors(stage, fields[FRAGMENTS], *batch[0])
                rows[FITTED] = vectors, np.ones(len(vectors), np.int64)
            count = len(batch[0][1])
            yield numbers[done : done + count], rows
            done += count

    return add_items(directory, items, batches, data, replace, _COMMIT_ITEMS)


def _describe(store: Store, holds: str, split: str) -> dict:
    """Return what an index says of its data; files are named from ``image_root``, or with their whole path.

    How its photos were described, where that is known, is said too, so that a new photo can be.
    """
    root = str(store.image_root) if holds == "images" else ""
    said = {"directory": str(store.directory), "split": split, "fingerprint": store.fingerprint(), "image_root": root}
    return {**said, **recorded(store)}


def _weights(model: dict | None) -> str:
    """Return the weights that an origin names, with what else the fragments depend on: another config may have the same
    weights.
    """
    if not model:
        return "none"
    return "{fingerprint} ({codes} codes, fragments {fragments}, padding {score_padding})".format(**model)


def _fragments(
    checkpoint: Checkpoint, model: DualEncoder, store: Store, holds: str, chosen: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    if holds == "images":
        batches = image_batches(model.encode_image, store, chosen)
    else:
        batches = text_batches(model.encode_text, checkpoint.tokenizer()([store.captions[item] for item in chosen]))
    return map(rows_that_count, batches)


def _sample(models: Models, store: Store, chosen: np.ndarray, settings: BuildSettings) -> list[np.ndarray]:
    """Return, for each model, the rows of some items that are drawn at random."""
    inputs = store.regions.shape[1] if settings.holds == "images" else models.exact.config.data.text_length
    rows = max(CENTER_SAMPLE, SAMPLE * settings.centroids)
    items = np.random.default_rng(settings.seed).permutation(chosen)[
        : -(-rows // models.exact.config.model.fragments_of(inputs))
    ]
    parts = list(models.batches(store, settings.holds, np.sort(items)))
    return [np.concatenate([part[model][0] for part in parts]) for model in range(len(models.all()))]
