"""The graph of an exported encoder, opened by Paddle Inference or onnxruntime."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable

import numpy as np

from ...errors import InputError
from ...predictor import one_line, open_onnx, open_paddle
from .files import GRAPHS, ONNX, WEIGHTS

BACKENDS = ("paddle", "onnx")
# (inputs in the graph's order) -> vectors (B, l, D) float32, mask (B, l) float32.
Run = Callable[..., "list[np.ndarray]"]


def open_graph(directory: Path, meta: dict, backend: str = "", threads: int = 0) -> Run:
    """Open the graph of the exported encoder in ``directory``; threads may share what is returned.

    Args:
        meta: the contents of its ``encoder.json``.
        backend: one of BACKENDS; "": onnx where there is an ONNX file.
        threads: cores to use; 0: all that this process may use. onnxruntime and Paddle have pools of their own.

    Raises:
        InputError: no such backend, there is no ONNX file, or Paddle is of a version that cannot read the graph.
    """
    threads = threads or len(os.sched_getaffinity(0))
    backend = backend or ("onnx" if (directory / ONNX).is_file() else "paddle")
    if backend == "paddle":
        return _open_paddle(directory, meta, threads)
    if backend == "onnx":
        return _open_onnx(directory / ONNX, threads)
    raise InputError(f"the backend of an encoder is one of {', '.join(BACKENDS)}, found {backend!r}")


def _open_paddle(directory: Path, meta: dict, threads: int) -> Run:
    import paddle

    graph = next(name for name in GRAPHS if name in meta["files"])
    try:
        if graph.endswith(".json") and paddle.__version__.startswith("2."):
            raise ValueError("a graph of Paddle 3")  # the library would end the process
        # oneDNN is off: it is no faster here and stumbles over codes.
        return open_paddle(directory / graph, directory / WEIGHTS, threads, gpu=True, onednn=False).run
    except Exception as error:
        or_onnx = f", or use {ONNX} beside it with the backend onnx" if (directory / ONNX).is_file() else ""
        raise InputError(
            f"{directory / graph}: written by Paddle {meta['paddle']}, cannot be opened by Paddle {paddle.__version__} "
            f"({one_line(error)}); export it again with this version{or_onnx}"
        ) from error


def _open_onnx(path: Path, threads: int) -> Run:
    if not path.is_file():
        raise InputError(
            f"{path}: there is no ONNX file; add it with tools/index.py onnx or tools/export.py --onnx, "
            "or use the backend paddle"
        )
    try:
        return open_onnx(path, threads, spin=False).run  # idle threads would take the cores from scoring
    except Exception as error:  # onnxruntime raises kinds of its own
        raise InputError(f"{path}: cannot be opened by onnxruntime ({one_line(error)})") from error
