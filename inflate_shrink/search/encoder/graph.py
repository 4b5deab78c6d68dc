"""An exported graph in one of two libraries, each imported only when it is asked for: Paddle Inference or onnxruntime."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable

import numpy as np

from ...errors import InputError
from ...predictor import run_by_turns
from .files import GRAPHS, ONNX, WEIGHTS

BACKENDS = ("paddle", "onnx")
Run = Callable[..., "list[np.ndarray]"]  # (inputs in the graph's order) -> vectors (B, l, D) float32, mask (B, l) float32


def open_graph(directory: Path, meta: dict, backend: str = "paddle", threads: int = 0) -> Run:
    """The graph of the exported encoder in ``directory``, ready to run; threads may share it.

    Args:
        meta: its ``encoder.json``.
        threads: cores to use; 0: all that this process may use. onnxruntime and Paddle have pools of their own.
            Of threads that share the graph those of Paddle take turns, those of onnxruntime run at once.

    Raises:
        InputError: no such backend, there is no ONNX file, or Paddle is of a version that cannot read the graph.
    """
    threads = threads or len(os.sched_getaffinity(0))
    if backend == "paddle":
        return _open_paddle(directory, meta, threads)
    if backend == "onnx":
        return _open_onnx(directory / ONNX, threads)
    raise InputError(f"the backend of an encoder is one of {', '.join(BACKENDS)}, found {backend!r}")


def _open_paddle(directory: Path, meta: dict, threads: int) -> Run:
    import paddle
    from paddle import inference

    graph = next(name for name in GRAPHS if name in meta["files"])
    try:
        if graph.endswith(".json") and paddle.__version__.startswith("2."):
            raise ValueError("a graph of Paddle 3")  # the library would end the process
        predictor = inference.create_predictor(_configuration(inference, directory / graph, directory / WEIGHTS, threads))
    except Exception as error:
        or_onnx = f", or use {ONNX} beside it with the backend onnx" if ONNX in meta["files"] else ""
        raise InputError(
            f"{directory / graph}: written by Paddle {meta['paddle']}, cannot be opened by Paddle {paddle.__version__} "
            f"({' '.join(str(error).split())[-200:]}); export it again with this version{or_onnx}"
        ) from error
    return run_by_turns(predictor)


def _configuration(inference, graph: Path, weights: Path, threads: int):
    """On the GPU where Paddle has one (not tried by us). Without oneDNN, which is no faster here and stumbles over codes."""
    import paddle

    config = inference.Config(str(graph), str(weights))
    config.disable_glog_info()
    if paddle.device.cuda.device_count():
        config.enable_use_gpu(256, 0)  # MiB of GPU memory to begin with, device
        return config
    config.disable_gpu()
    config.set_cpu_math_library_num_threads(threads)
    if hasattr(config, "disable_mkldnn"):  # Paddle 3 has it on unless told otherwise
        config.disable_mkldnn()
    return config


def _open_onnx(path: Path, threads: int) -> Run:
    if not path.is_file():
        raise InputError(f"{path}: there is no ONNX file; export the encoder again with --onnx, or use the backend paddle")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads would take the cores from scoring
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises kinds of its own
        raise InputError(f"{path}: cannot be opened by onnxruntime {onnxruntime.__version__} ({' '.join(str(error).split())[-200:]})") from error
    names = [given.name for given in session.get_inputs()]
    return lambda *arrays: session.run(None, dict(zip(names, arrays)))
