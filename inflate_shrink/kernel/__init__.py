"""Late interaction on the CPU: our own kernel (``csrc/``), and how fragments are stored for it.

NumPy and the standard library only: a search process must not pay for Paddle. Where the library
could not be built, NumPy does the same, slower. Threads may call all of it at once; what shares the library's pool takes turns.
"""

from .codes import as_items, code_scores, code_table, encode_codes
from .compiled import paths
from .limit import arithmetic_limit
from .rows import PRECISIONS, ROW_DTYPE, Rows, decode_rows, encode_rows, row_width
from .scores import scores
from .select import best_rows

__all__ = [
    "PRECISIONS", "ROW_DTYPE", "Rows", "arithmetic_limit", "as_items", "best_rows", "code_scores", "code_table", "decode_rows", "encode_codes", "encode_rows", "paths", "row_width", "scores",
]
