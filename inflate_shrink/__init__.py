"""Inflate and Shrink: fast text-image retrieval with PaddlePaddle (EMNLP 2021)."""

import warnings
import zlib  # noqa: F401  before Paddle 2.6, whose library exports a zlib that breaks Python's

from .cpu import enable_fast_mkl, transpose_at_once, use_all_cores

enable_fast_mkl()  # all three before anything in the package imports Paddle
use_all_cores()
transpose_at_once()
warnings.filterwarnings("ignore", message="No ccache found")  # nothing here is compiled by Paddle
warnings.filterwarnings("ignore", message="Setuptools is replacing distutils")

__version__ = "0.1.0"
