"""Detectors and backbones: ONNX files by onnxruntime, Paddle Inference models and networks by name by Paddle; on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..digest import hex_digest
from ..errors import InputError
from ..predictor import Graph, one_line, open_onnx, open_paddle
from . import named
from .onnx_files import external_files


class Network:
    """A network with one input, images.

    Threads may share it: those of Paddle take turns, those of onnxruntime run at once.

    Args:
        path: ``.onnx`` file, with its weights inside or in files beside it, or a Paddle Inference model: its ``.json``
            or ``.pdmodel`` file with the ``.pdiparams`` beside it. Or a name of :data:`.named.NAMES`.
        threads: cores to use.
        weights: of a network by name, a file; "": Paddle's own.

    Raises InputError for a missing or unreadable file, a missing library, or other than one input.
    """

    def __init__(self, path: str | Path, threads: int = 1, weights: str = ""):
        self.path, self._weights = path if path in named.NAMES else _existing(path), weights
        if path in named.NAMES:
            graph = named.open_named(path, weights, threads)
        else:
            graph = (_open_onnx if self.path.suffix == ".onnx" else _open_paddle)(self.path, threads)
        if len(graph.inputs) != 1:
            raise InputError(
                f"{path}: expected a network with one input, the image; found {len(graph.inputs)}: "
                f"{', '.join(graph.inputs)}"
            )
        self._run, (self.input_shape,) = graph.run, graph.inputs.values()

    @property
    def input_size(self) -> tuple[int, int] | None:
        """Return height and width that the network insists on, or None if it takes any."""
        size = self.input_shape[-2:]
        return tuple(size) if len(size) == 2 and all(isinstance(side, int) and side > 0 for side in size) else None

    @property
    def most_images(self) -> int | None:
        """Return how many images the network insists on in one call, or None if it takes any number."""
        images = self.input_shape[0] if len(self.input_shape) == 4 else None
        return images if isinstance(images, int) and images > 0 else None

    def __call__(self, images: np.ndarray) -> list[np.ndarray]:
        """Return the outputs for images (n, 3, h, w) float32; raise InputError if it fails or they are no arrays."""
        try:
            outputs = self._run(np.ascontiguousarray(images, np.float32))
        except Exception as error:  # onnxruntime and Paddle raise kinds of their own
            raise InputError(f"{self.path}: fails on an input of shape {images.shape}: {one_line(error)}") from error
        for output in outputs:
            if not isinstance(output, np.ndarray) or output.dtype.kind not in "fiub":
                raise InputError(
                    f"{self.path}: expected arrays of numbers as outputs, "
                    f"found {getattr(output, 'dtype', type(output).__name__)}"
                )
        return outputs

    def fingerprint(self) -> str:
        """Return what :func:`fingerprint` does."""
        return fingerprint(self.path, self._weights)


def fingerprint(path: str | Path, weights: str = "") -> str:
    """Return a network's name or file name, and SHA-256 (16 digits) of its files, one after the other; of a Paddle
    model, and of a network by name, of the weights.

    The network is not opened. Raises InputError if a file is missing, or it is none of an ONNX or Paddle network.
    """
    if path in named.NAMES:
        return f"{path} sha256:{hex_digest([named.weights_file(path, weights)])}"
    path = _existing(path)
    files = [path, *external_files(path)] if path.suffix == ".onnx" else [_weights(path)]
    return f"{path.name} sha256:{hex_digest(files)}"


def _existing(path: str | Path) -> Path:
    if not Path(path).is_file():
        raise InputError(
            f"{path}: no such file; expected an .onnx file, the .json or .pdmodel file of a Paddle Inference model, or of "
            f"a backbone a name, such as {named.nearest_name(str(path))} (of detectors Paddle has none by name)"
        )
    return Path(path)


def _weights(path: Path) -> Path:
    """Return the file of weights of a Paddle Inference model, if ``path`` is the file of its graph."""
    weights = path.with_suffix(".pdiparams")
    if path.suffix not in (".json", ".pdmodel") or not weights.is_file():
        raise InputError(f"{path}: expected .onnx, or .json or .pdmodel with {weights.name} beside it")
    return weights


def _open_onnx(path: Path, threads: int) -> Graph:
    external_files(path)  # refuses what onnxruntime would read from elsewhere
    try:
        return open_onnx(path, threads)
    except ImportError:
        raise InputError(
            "onnxruntime is not installed; pip install onnxruntime, or give a Paddle Inference model"
        ) from None
    except Exception as error:
        raise InputError(f"{path}: not an ONNX model that onnxruntime can load: {one_line(error)}") from error


def _open_paddle(path: Path, threads: int) -> Graph:
    weights = _weights(path)
    try:
        return open_paddle(path, weights, threads)
    except Exception as error:
        raise InputError(f"{path}: not a model that Paddle Inference can load: {one_line(error)}") from error
