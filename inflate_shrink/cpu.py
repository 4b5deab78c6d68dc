"""What the processor is, four switches that make Paddle several times faster on the CPU, and one that GPUs repeat.

:func:`prepare_for_paddle` sets the four that must be set before Paddle is imported. Every subpackage whose modules
import Paddle calls it first; ``import inflate_shrink`` and :mod:`inflate_shrink.kernel` change nothing in the process.

Paddle's bundled MKL picks its instruction set by vendor and takes a slow path on AMD.
The variable ``MKL_DEBUG_CPU_TYPE`` overrides that choice: 7 is AVX-512, 5 is AVX2. It
forces instructions that the processor must have, so the flags are read first, and it
does nothing on Intel. It must be set before Paddle is imported, and so must
``MKL_NUM_THREADS``: without it Paddle uses one core.

Paddle takes each tensor's memory from malloc and gives it back; glibc returns large
blocks to the kernel, so every operation pays for fresh pages. Keeping them makes
elementwise operations up to four times faster.

A transposition in Paddle is a view by default, and what reads it copies it by a slow
general kernel, which takes a third of an update. ``FLAGS_use_stride_kernel=0`` transposes at once.

A GPU adds the gradients of an embedding's rows in any order, so that no two runs have the same weights;
``FLAGS_embedding_deterministic=1`` fixes the order. Paddle for the CPU does not know it.
"""

from __future__ import annotations

import ctypes
import os
import platform
import warnings
from pathlib import Path

AVX512 = frozenset({"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd"})  # a Skylake-X has them, and all since
_AVX2 = {"avx2", "fma"}


def prepare_for_paddle() -> None:
    """Set what Paddle reads once, when it is imported; what the user has set stays."""
    import zlib  # noqa: F401  Paddle 2.6's library exports a zlib that would break Python's, were it imported later

    enable_fast_mkl()
    use_all_cores()
    transpose_at_once()
    os.environ.setdefault("FLAGS_embedding_deterministic", "1")
    for message in ("No ccache found", "Setuptools is replacing distutils"):  # nothing here is compiled by Paddle
        warnings.filterwarnings("ignore", message=message)


def processor_flags(cpuinfo: str | None = None) -> frozenset[str]:
    """Return what the processor can do, in the kernel's words (``avx2``); none where nothing says it.

    Args:
        cpuinfo: text of a ``/proc/cpuinfo``; None: of this machine's.
    """
    return frozenset(_first(_cpuinfo() if cpuinfo is None else cpuinfo, "flags").split())


def processor_name(cpuinfo: str | None = None) -> str:
    """Return the processor as the kernel names it, or its architecture; ``cpuinfo`` as in :func:`processor_flags`."""
    name = _first(_cpuinfo() if cpuinfo is None else cpuinfo, "model name")
    return name or platform.processor() or platform.machine() or "unknown processor"


def processor_and_cores() -> str:
    """Return the processor, and how many cores of it this process may use."""
    return f"{processor_name()}, {len(os.sched_getaffinity(0))} cores"


def mkl_cpu_type(cpuinfo: str) -> str | None:
    """Return the value of ``MKL_DEBUG_CPU_TYPE`` for a machine with this ``/proc/cpuinfo``, or None."""
    vendor, flags = _first(cpuinfo, "vendor_id"), processor_flags(cpuinfo)
    if vendor != "AuthenticAMD":
        return None
    if AVX512 <= flags:
        return "7"
    return "5" if _AVX2 <= flags else None


def use_all_cores() -> None:
    """Set ``MKL_NUM_THREADS`` to the cores this process may use, unless the user has set it."""
    os.environ.setdefault("MKL_NUM_THREADS", str(len(os.sched_getaffinity(0))))


def enable_fast_mkl() -> None:
    """Set ``MKL_DEBUG_CPU_TYPE`` where it helps and the user has not set it already."""
    value = mkl_cpu_type(_cpuinfo())
    if value is not None:
        os.environ.setdefault("MKL_DEBUG_CPU_TYPE", value)


def transpose_at_once() -> None:
    """Set ``FLAGS_use_stride_kernel`` to 0 unless the user has set it; before Paddle is imported."""
    os.environ.setdefault("FLAGS_use_stride_kernel", "0")


def keep_freed_memory() -> None:
    """Let this process reuse large freed blocks instead of returning them to the kernel (glibc only)."""
    m_trim_threshold, m_mmap_max = -1, -4  # their numbers in <malloc.h>
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(m_mmap_max, 0)
        mallopt(m_trim_threshold, 2**31 - 1)


def _cpuinfo() -> str:
    """Return what the kernel says of the processors; "" where it says nothing."""
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _first(cpuinfo: str, key: str) -> str:
    """Return the first value of a key, or ""."""
    lines = (line.partition(":") for line in cpuinfo.splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == key), "")
