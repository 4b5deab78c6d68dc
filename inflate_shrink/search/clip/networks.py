"""The two networks of a CLIP: texts, and photos, to vectors of unit length in one space, by onnxruntime."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Callable, NamedTuple, Sequence

import numpy as np

from ...errors import InputError
from ...extract.onnx_files import external_files
from ...predictor import one_line, open_onnx
from .folder import AGAIN, CONFIG, TEXT, VISION, networks_of, read_json
from .pixels import read_pixels
from .tokens import ClipTokenizer

if TYPE_CHECKING:
    from PIL import Image

_EMBEDDINGS = {TEXT: "text_embeds", VISION: "image_embeds"}
_POOLED, _POOLED_KINDS = "pooler_output", ("siglip", "siglip2")  # whose pooled outputs are in the one space
_NUMBERS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
_WHOLE = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}


class Encoded(NamedTuple):
    """fragments: (l, D) float32 of unit length, 1 where tokens are not asked for; vector: (D,) the one vector beside the
    fragments, for a first stage, or None."""

    fragments: np.ndarray
    vector: np.ndarray | None

    def joined(self) -> np.ndarray:
        """Return both as rows, the vector first."""
        return self.fragments if self.vector is None else np.concatenate([self.vector[None], self.fragments])


class _Network:
    """One network, with the outputs that are vectors.

    Args:
        directory: of the CLIP, see :mod:`.folder`.
        tokens: output of both networks that has a vector for each token, (n, l, D), in the space of the others: late
            interaction over them. "": one vector, text_embeds and image_embeds.
        threads: cores to use; 0: all that this process may use.
        spin: idle threads wait busily: for many photos one after another.

    Raises:
        InputError: a file is missing or damaged, the network cannot be opened, or has no such output.
    """

    name = ""

    def __init__(self, directory: Path, tokens: str = "", threads: int = 0, spin: bool = False):
        self._path = networks_of(directory)[self.name]
        external_files(self._path)  # refuses what onnxruntime would read from elsewhere
        try:
            graph = open_onnx(self._path, threads or len(os.sched_getaffinity(0)), spin)
        except ImportError:
            raise InputError("onnxruntime is not installed; pip install onnxruntime") from None
        except Exception as error:  # onnxruntime raises kinds of its own
            raise InputError(f"{self._path}: not a network that onnxruntime can load: {one_line(error)}") from error
        self._graph, self._tokens = graph, tokens
        kind = read_json(directory, CONFIG).value.get("model_type")
        one = [_EMBEDDINGS[self.name], *([_POOLED] if kind in _POOLED_KINDS else [])]
        self._vector = next((name for name in one if name in graph.outputs), "")
        wanted = tokens or self._vector
        if wanted not in graph.outputs:
            raise InputError(
                f"{self._path}: has the outputs {', '.join(graph.outputs)}, and no {tokens or one[0]}; export the network "
                "with its projection (docs/clip.md)"
            )

    def _run(self, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Return the outputs for inputs by name; raises InputError for an input that is not known, or a failure."""
        for name in self._graph.inputs:
            if name not in inputs:
                raise InputError(f"{self._path}: an input {name!r}, which a CLIP has not; expected {', '.join(inputs)}")
        try:
            arrays = [inputs[name].astype(_type(self._graph.types[name])) for name in self._graph.inputs]
            return self._graph.run(*arrays)
        except Exception as error:  # onnxruntime raises kinds of its own
            raise InputError(f"{self._path}: fails: {one_line(error)}; {AGAIN}") from error

    def _encoded(self, outputs: list[np.ndarray], masks: Sequence[np.ndarray | None]) -> list[Encoded]:
        named = dict(zip(self._graph.outputs, outputs))
        vectors = self._checked(named, self._vector, 2, len(masks)) if self._vector else [None] * len(masks)
        if not self._tokens:
            return [Encoded(vector[None], None) for vector in vectors]
        found = self._checked(named, self._tokens, 3, len(masks))
        if self._vector and vectors.shape[1] != found.shape[2]:  # no first stage of another space
            vectors = [None] * len(masks)
        counts = (slice(None) if mask is None else mask[: found.shape[1]] > 0 for mask in masks)
        return [Encoded(rows[count], vector) for rows, count, vector in zip(found, counts, vectors)]

    def _checked(self, named: dict, name: str, dimensions: int, count: int) -> np.ndarray:
        """Return an output (count, ..., D) as unit vectors float32."""
        found = named[name]
        if found.ndim != dimensions or len(found) != count or found.dtype.kind != "f" or not found.size:
            expected = f"({count}, {'l, ' if dimensions == 3 else ''}D)"
            raise InputError(f"{self._path}: expected {name} as {expected}, found {found.dtype} {found.shape}")
        found = found.astype(np.float32)
        lengths = np.linalg.norm(found, axis=-1, keepdims=True)
        if not np.isfinite(lengths).all():
            raise InputError(f"{self._path}: {name} holds a number that is NaN or infinite; {AGAIN}")
        return found / np.maximum(lengths, 1e-12)


class TextNetwork(_Network):
    """Callable: texts to vectors. Threads may share it.

    Attributes:
        tokenizer: :class:`.tokens.ClipTokenizer`.
    """

    name = TEXT

    def __init__(self, directory: Path, tokens: str = "", threads: int = 0, spin: bool = False):
        super().__init__(directory, tokens, threads, spin)
        self.tokenizer = ClipTokenizer(directory)
        shape = self._graph.inputs.get("input_ids", [])
        self._length = shape[1] if len(shape) == 2 and isinstance(shape[1], int) and shape[1] > 0 else 0

    def __call__(self, texts: Sequence[str]) -> list[Encoded]:
        """Return the vectors of each text; raises InputError if one is empty."""
        return [each for text in texts for each in self._of(text)]

    def _of(self, text: str) -> list[Encoded]:
        # Alone: what is padded reads otherwise where the network has no attention_mask.
        ids, mask = self.tokenizer([text], self._length)
        places = np.arange(ids.shape[1])[None]
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": 0 * ids, "position_ids": places}
        return self._encoded(self._run(inputs), mask)


class PhotoNetwork(_Network):
    """Callable: photos to vectors. Threads may share it.

    Attributes:
        pixels: :class:`.pixels.Pixels`, what makes a photo the network's input.
    """

    name = VISION

    def __init__(self, directory: Path, tokens: str = "", threads: int = 0, spin: bool = False):
        super().__init__(directory, tokens, threads, spin)
        self.pixels = read_pixels(directory)
        shape = self._graph.inputs.get("pixel_values", [])
        self.most = shape[0] if len(shape) == 4 and isinstance(shape[0], int) and shape[0] > 0 else None

    def __call__(self, pixels: np.ndarray) -> list[Encoded]:
        """Return the vectors of photos, given their pixels (n, 3, h, w) float32."""
        found = []
        for start in range(0, len(pixels), self.most or len(pixels)):
            some = pixels[start : start + (self.most or len(pixels))]
            found += self._encoded(self._run({"pixel_values": some}), [None] * len(some))
        return found

    def of_image(self, image: Image.Image) -> Encoded:
        """Return the vectors of an RGB image."""
        return self(self.pixels(image)[None])[0]


def _type(name: str) -> Callable:
    """Return NumPy's type of an input; raises InputError for one that a CLIP has not."""
    known = {**_NUMBERS, **_WHOLE}
    if name not in known:
        raise InputError(f"an input of the type {name}; expected {', '.join(known)}")
    return known[name]
