"""Inflate and Shrink: fast text-image retrieval with PaddlePaddle (EMNLP 2021)."""

from .cpu import enable_fast_mkl

enable_fast_mkl()  # before anything in the package imports Paddle

__version__ = "0.1.0"
