"""Detector and backbone files: ONNX by onnxruntime, Paddle Inference models by Paddle; on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..digest import hex_digest
from ..errors import InputError
from ..predictor import Graph, one_line, open_onnx, open_paddle
from .onnx_files import external_files


class Network:
    """A network with one image input.

    Threads may share it: those of Paddle take turns, those of onnxruntime run at once.

    Args:
        path: ``.onnx`` file, with its weights inside or in files beside it, or a Paddle Inference model: its ``.json``
            or ``.pdmodel`` file with the ``.pdiparams`` beside it.
        threads: cores to use.

    Raises InputError for a missing or unreadable file, a missing library, or other than one input.
    """

    def __init__(self, path: str | Path, threads: int = 1):
        self.path = _existing(path)
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

    def __call__(self, image: np.ndarray) -> list[np.ndarray]:
        """Return the outputs for an image (1, 3, h, w) float32; raise InputError if it fails or they are no arrays."""
        try:
            outputs = self._run(np.ascontiguousarray(image, np.float32))
        except Exception as error:  # onnxruntime and Paddle raise kinds of their own
            raise InputError(f"{self.path}: fails on an input of shape {image.shape}: {one_line(error)}") from error
        for output in outputs:
            if not isinstance(output, np.ndarray) or output.dtype.kind not in "fiub":
                raise InputError(
                    f"{self.path}: expected arrays of numbers as outputs, "
                    f"found {getattr(output, 'dtype', type(output).__name__)}"
                )
        return outputs

    def fingerprint(self) -> str:
        """Return what :func:`fingerprint` does."""
        return fingerprint(self.path)


def fingerprint(path: str | Path) -> str:
    """Return a network's file name and SHA-256 (16 digits) of its files, one after the other; of a Paddle model, of
    the weights.

    The network is not opened. Raises InputError if a file is missing, or it is none of an ONNX or Paddle network.
    """
    path = _existing(path)
    files = [path, *external_files(path)] if path.suffix == ".onnx" else [_weights(path)]
    return f"{path.name} sha256:{hex_digest(files)}"


def _existing(path: str | Path) -> Path:
    if not Path(path).is_file():
        raise InputError(
            f"{path}: no such file; expected an .onnx file, or the .json or .pdmodel file of a Paddle Inference model"
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
