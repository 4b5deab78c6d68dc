"""Where and how a benchmark runs: the machine, one thread, files that are gone afterwards."""

from __future__ import annotations

import os
import platform
import tempfile
from contextlib import contextmanager, nullcontext
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from inflate_shrink.cpu import processor_name
from inflate_shrink.errors import InputError

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = {  # name here -> distributions, the first that is installed counts
    "numpy": ("numpy",),
    "paddle": ("paddlepaddle", "paddlepaddle-gpu"),
    "scikit-learn": ("scikit-learn",),
}


def environment(*more: str) -> dict:
    """Return date, processor, cores this process may use, load of the last minute, and versions, also of ``more``
    distributions."""
    packages = {**_PACKAGES, **{name: (name,) for name in more}}
    return {
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "processor": processor_name(),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),
        "versions": {
            "python": platform.python_version(),
            **{name: _version(names) for name, names in packages.items()},
        },
    }


def describe_environment(found: dict) -> str:
    """Return the environment as two lines of text."""
    versions = ", ".join(f"{name} {number or '(not installed)'}" for name, number in found["versions"].items())
    return (
        f"{found['date']}; {found['processor']}, {found['cores']} cores, "
        f"load {found['load']:g} of other work before\n{versions}"
    )


def new_process(**variables: str) -> dict:
    """Return ``cwd`` and ``env`` with which ``python -m benchmark...`` finds these modules, wherever the user is;
    ``variables`` are further ones."""
    paths = filter(None, [str(_ROOT), str(_ROOT / "tools"), os.environ.get("PYTHONPATH")])
    return {"cwd": _ROOT, "env": {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **variables}}


def one_thread():
    """Return a context in which NumPy, scikit-learn and OpenMP use one thread, where threadpoolctl is there to tell
    them."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return nullcontext()
    return threadpool_limits(1)


@contextmanager
def workspace():
    """Make a temporary directory, removed however the context ends; a full disk becomes an InputError that names it."""
    try:
        with tempfile.TemporaryDirectory(prefix="inflate_shrink-benchmark-") as directory:
            yield Path(directory)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"temporary files cannot be written: {reason}; set the variable TMPDIR to a directory with more space"
        ) from error


def _version(distributions: tuple[str, ...]) -> str | None:
    for name in distributions:
        try:
            return version(name)
        except PackageNotFoundError:
            pass
    return None
