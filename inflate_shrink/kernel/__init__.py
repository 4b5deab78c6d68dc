"""Late interaction on the CPU: our own kernel (``csrc/``), and how fragments are stored for it.

NumPy and the standard library only: a search process must not pay for Paddle. Where the library could not be built,
NumPy does the same, slower. Threads may call all of it at once; what shares the library's pool takes turns.
"""

from .compiled import paths
from .limit import arithmetic_limit
from .nearest import as_items, centroid_scores, centroid_table, nearest_centroids
from .scores import scores
from .select import best_positions
from .stored import PRECISIONS, ROW_DTYPE, StoredFragments, decode_rows, encode_rows, row_width

__all__ = [
    "PRECISIONS",
    "ROW_DTYPE",
    "StoredFragments",
    "arithmetic_limit",
    "as_items",
    "best_positions",
    "centroid_scores",
    "centroid_table",
    "decode_rows",
    "nearest_centroids",
    "encode_rows",
    "paths",
    "row_width",
    "scores",
]
