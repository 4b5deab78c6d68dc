"""Graphs in files, opened by onnxruntime or Paddle Inference, each imported only when it is asked for."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Callable, NamedTuple

import numpy as np


class Graph(NamedTuple):
    """An opened graph. Threads may share it: those of Paddle take turns, those of onnxruntime run at once.

    run: the inputs in the graph's order -> its outputs; inputs: the shape of each by its name; of an ONNX file also
    types: of its inputs, as onnxruntime has them; outputs: their names.
    """

    run: Callable[..., list[np.ndarray]]
    inputs: dict[str, list]
    types: dict[str, str] = {}
    outputs: tuple[str, ...] = ()


def one_line(error: Exception) -> str:
    """Return the end of a message, where Paddle says what is wrong after a stack; onnxruntime's are short."""
    return " ".join(str(error).split())[-300:] or type(error).__name__


def open_onnx(path: Path, threads: int, spin: bool = True) -> Graph:
    """Open an ONNX file on the CPU.

    Args:
        threads: cores to use, in a pool of onnxruntime's own.
        spin: let idle threads wait busily, which starts the next call sooner and takes the cores from others.

    Raises:
        ImportError: onnxruntime is not installed.
        Exception: of onnxruntime's own kinds, it cannot read the file.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
    if not spin:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    inputs = {node.name: node.shape for node in session.get_inputs()}
    types = {node.name: node.type for node in session.get_inputs()}
    outputs = tuple(node.name for node in session.get_outputs())
    return Graph(lambda *arrays: session.run(None, dict(zip(inputs, arrays))), inputs, types, outputs)


def open_paddle(path: Path, weights: Path, threads: int, gpu: bool = False, onednn: bool = True) -> Graph:
    """Open a Paddle Inference model.

    Args:
        threads: cores to use, in a pool of Paddle's own.
        gpu: use the GPU where Paddle has one (not tried by us).
        onednn: compute by oneDNN where Paddle would.

    Raises:
        Exception: of many kinds, Paddle cannot read the files. A graph of Paddle 3 ends a process of Paddle 2, without
            an error.
    """
    import paddle
    from paddle import inference

    config = inference.Config(str(path), str(weights))
    config.disable_glog_info()
    if gpu and paddle.device.cuda.device_count():
        config.enable_use_gpu(256, 0)  # MiB of GPU memory to begin with, device
    else:
        config.disable_gpu()
        config.set_cpu_math_library_num_threads(threads)
        if not onednn and hasattr(config, "disable_mkldnn"):  # Paddle 3 has it on unless told otherwise
            config.disable_mkldnn()
    predictor = inference.create_predictor(config)
    inputs = {name: predictor.get_input_handle(name).shape() for name in predictor.get_input_names()}
    return Graph(_run_by_turns(predictor), inputs)


def _run_by_turns(predictor) -> Callable[..., list[np.ndarray]]:
    """Return a function of the predictor's inputs, in its order, that gives copies of its outputs; threads take turns
    in it.

    A predictor has one place for its inputs and one for its outputs, so of two threads that share it each would read
    what the other made. A clone for each thread would keep its own copy of every activation for as long as the thread
    lives.
    """
    inputs = [predictor.get_input_handle(name) for name in predictor.get_input_names()]
    outputs = [predictor.get_output_handle(name) for name in predictor.get_output_names()]
    turn = threading.Lock()

    def run(*arrays: np.ndarray) -> list[np.ndarray]:
        with turn:
            for handle, array in zip(inputs, arrays):
                handle.reshape(array.shape)
                handle.copy_from_cpu(np.ascontiguousarray(array))
            predictor.run()
            return [handle.copy_to_cpu() for handle in outputs]

    return run
