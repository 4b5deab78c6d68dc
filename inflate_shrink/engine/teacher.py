"""The frozen teacher of distillation (Sec. 4.2), with its fragments computed once where that fits on disk."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Callable

import numpy as np
import paddle
from tqdm import tqdm

from ..atomic import atomic_path, remove_leftovers
from ..checked_files import FileList
from ..config import DistillConfig, OptimConfig
from ..data.batches import Batch, batches_per_epoch, epoch_batches
from ..data.npy import create_npy, map_npy
from ..data.tokenized import TrainingData
from ..digest import hex_digest
from ..errors import InputError
from ..scoring import Fragments
from .checkpoint import Checkpoint
from .cross import PAIRS, embed_batch, match_all, match_pairs
from .encode import image_batches, text_batches
from .ranks import ALONE, Ranks

_LISTED = FileList("files.json", "cache", "it is made again")
_SMALL_BATCH = 16  # pairs; few enough for a cross-BERT to score all of them
CACHE_DTYPE = np.float16  # cosines move by 1e-4, and half the disk


class Teacher:
    """Scores of a batch by a frozen model that is no part of the student.

    Without dropout its fragments do not depend on the update: after :meth:`prepare` they are read from
    disk. Otherwise each batch is encoded again.
    """

    def __init__(self, config: DistillConfig, checkpoint: Checkpoint):
        self.config, self.directory, self.model = config, checkpoint.directory, checkpoint.load_model()
        self.cache = None
        if config.teacher_dropout:
            self.model.train()

    def prepare(self, data: TrainingData, cache_dir: Path, log: Callable[[str], None], ranks: Ranks = ALONE) -> None:
        """Write the fragments of the training split to ``cache_dir``, once, where they fit in ``distill.cache_gb``.

        The first process writes, the others wait; raises InputError where they do not see what it wrote.
        """
        config = self.config
        if config.teacher_dropout or self.model.is_cross:
            return
        needed = self._cache_bytes(data) / 2**30
        if config.cache_gb == 0 or needed > config.cache_gb:
            if config.cache_gb:
                room = f"its fragments need {needed:.1f} GB, distill.cache_gb allows {config.cache_gb:g}"
                log(f"teacher: {room}: encoding every batch instead")
            return
        if not ranks.writes:
            ranks.meet()
        self.cache = _FragmentCache(cache_dir, self._cache_key(data), data)
        if not self.cache.complete:
            if not ranks.writes:
                problem = "this process does not find the fragments of the teacher that the first one wrote"
                raise InputError(f"{cache_dir}: {problem}; run.dir must be on a disk that all machines share")
            log(f"teacher: writing its fragments to {cache_dir} once ({needed:.2f} GB){self.cache.why}")
            self.cache.write(self.model, data)
        if ranks.writes:
            ranks.meet()

    def cost(self, data: TrainingData, config: OptimConfig, ranks: Ranks = ALONE) -> str:
        """Return a line that says how long a cross-BERT will score, all epochs together, by some pairs of a batch.

        Of other teachers, whose scores cost little, it is empty.
        """
        if not self.model.is_cross:
            return ""
        batches, size = batches_per_epoch(data.train, config.batch_size) * config.epochs, config.batch_size
        texts, images = np.divmod(np.arange(min(size**2, PAIRS)), size)
        with paddle.no_grad():
            embedded = embed_batch(self.model, next(epoch_batches(data.store, data.train, size, 0, 0)))
            for _ in range(2):  # the second time is measured: the first one allocates
                start = time.perf_counter()
                match_pairs(self.model, *embedded, texts, images)
        hours = (time.perf_counter() - start) / len(texts) * size**2 * batches / ranks.size / 3600
        scored = f"which scores {size**2} pairs of each batch anew"
        line = f"teacher: a cross-BERT, {scored}: {hours:.1f} hours of this training"
        if size <= _SMALL_BATCH:
            return line
        part = size // _SMALL_BATCH
        smaller = f"-o optim.batch_size={_SMALL_BATCH} optim.accumulate={config.accumulate * part}"
        return f"{line}; {smaller} scores one in {part} of them"

    def scores(self, batch: Batch, ranks: Ranks = ALONE) -> paddle.Tensor:
        """Return the teacher's scores (B, B), rows images, without gradient. Each process scores its own images."""
        with paddle.no_grad():
            if self.cache is not None:
                rows = self.model.score(*self.cache.read(batch))
            elif self.model.is_cross:
                text, image = embed_batch(self.model, batch, ranks)
                rows = paddle.to_tensor(match_all(self.model, text, image.part(batch.own)))
            else:
                text = self.model.encode_text(paddle.to_tensor(batch.ids[batch.own]))
                image = self.model.encode_image(paddle.to_tensor(batch.regions), paddle.to_tensor(batch.counts))
                rows = self.model.score(ranks.gather_encoded(text), image)
            return ranks.gather(rows)

    def texts(self, captions: np.ndarray) -> list[np.ndarray]:
        """Return the fragments (l, D) float32 that count of some captions of the training split, from disk."""
        return self.cache.that_count("text", captions)

    def images(self, images: np.ndarray) -> list[np.ndarray]:
        """Return the fragments (l, D) float32 that count of some images of the training split, from disk."""
        return self.cache.that_count("image", images)

    def _cache_bytes(self, data: TrainingData) -> int:
        c, images = self.model.config, len(data.train.split.image_rows) + len(data.mirrored_images)
        vectors = len(data.train.ids) * c.fragments_of(data.tokenizer.length)
        vectors += images * c.fragments_of(data.store.regions.shape[1])
        return vectors * c.hidden * np.dtype(CACHE_DTYPE).itemsize

    def _cache_key(self, data: TrainingData) -> str:
        read = [data.store.fingerprint(), data.train.split.name, data.tokenizer.fingerprint, data.tokenizer.length]
        if len(data.mirrored_images):
            read.append("mirrored")
        weights = (array.numpy().tobytes() for array in self.model.state_dict().values())
        return hex_digest(chain(weights, [json.dumps([asdict(self.model.config), *read]).encode()]), 64)


class _FragmentCache:
    """A directory with text.npy and image.npy (n, l, D), their masks if any, and a list of them with their key.
    Mirrored photos come after all others.

    ``complete``: whether the files were there, of the same key and as they were written; ``why``: what is damaged.
    """

    def __init__(self, directory: Path, key: str, data: TrainingData):
        self.directory, self.key, self.arrays = directory, key, {}
        mirrored, images = data.mirrored_images, len(data.train.split.image_rows)
        self._mirrored_row = np.zeros(images, np.int64)
        self._mirrored_row[mirrored] = images + np.arange(len(mirrored))
        self.complete, self.why = False, ""
        remove_leftovers(directory)
        if (directory / _LISTED.name).exists():
            try:
                self.complete = _LISTED.read(directory).get("key") == key and bool(_LISTED.check_all(directory))
            except InputError as error:
                self.why = f": {error}"
        if self.complete:
            self._open()

    def write(self, model, data: TrainingData) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)  # it may be that of another teacher or data set
        split = data.train.split
        with atomic_path(self.directory) as temporary:
            temporary.mkdir()
            _write_side(temporary, "text", text_batches(model.encode_text, data.train.ids), len(data.train.ids))
            mirrored = split.image_rows[data.mirrored_images] + len(data.store.regions)
            rows = np.concatenate([split.image_rows, mirrored])
            _write_side(temporary, "image", image_batches(model.encode_image, data.store, rows), len(rows))
            _LISTED.write(temporary, {"key": self.key})
        self._open()

    def read(self, batch: Batch) -> tuple[Fragments, Fragments]:
        images = np.where(batch.mirrored, self._mirrored_row[batch.images], batch.images)
        return self._side("text", batch.captions), self._side("image", images[batch.own])

    def that_count(self, side: str, rows: np.ndarray) -> list[np.ndarray]:
        vectors = np.asarray(self.arrays[side][rows], np.float32)
        mask = self.arrays.get(f"{side}_mask")
        return list(vectors) if mask is None else [each[kept > 0] for each, kept in zip(vectors, mask[rows])]

    def _side(self, side: str, rows: np.ndarray) -> Fragments:
        arrays = [self.arrays[name][rows] for name in (side, f"{side}_mask") if name in self.arrays]
        return Fragments(*(paddle.to_tensor(np.asarray(array, "float32")) for array in arrays))

    def _open(self) -> None:
        self.arrays = {path.stem: map_npy(path) for path in self.directory.glob("*.npy")}


def _write_side(directory: Path, side: str, batches, n: int) -> None:
    files, start = {}, 0
    with tqdm(total=n, desc=f"teacher {side}s", disable=None, leave=False) as bar:
        for fragments in batches:
            for name, tensor in ((side, fragments.vectors), (f"{side}_mask", fragments.mask)):
                if tensor is None:
                    continue
                array = tensor.numpy().astype(CACHE_DTYPE)
                if name not in files:
                    files[name] = create_npy(directory / f"{name}.npy", (n, *array.shape[1:]), CACHE_DTYPE)
                files[name][start : start + len(array)] = array
            start += len(array)
            bar.update(len(array))
    for file in files.values():
        file.flush()
