"""bfloat16, which NumPy has not: a number is the upper half of a float32, and read as uint16."""

import numpy as np


def widen(halves: np.ndarray) -> np.ndarray:
    """Return the float32 numbers whose upper ``halves``, uint16, a file holds."""
    return (halves.astype("<u4") << 16).view("<f4")
