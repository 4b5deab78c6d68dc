"""A Paddle Inference predictor as one function that threads may share."""

from __future__ import annotations

import threading
from typing import Callable

import numpy as np


def run_by_turns(predictor) -> Callable[..., list[np.ndarray]]:
    """Return a function of the predictor's inputs, in its order, that gives copies of its outputs; threads take turns in it.

    A predictor has one place for its inputs and one for its outputs, so of two threads that share it each would read
    what the other made. A clone for each thread would keep its own copy of every activation for as long as the thread lives.
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
