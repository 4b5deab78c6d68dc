"""Our kernel beside exact peers of the same precision, in turn on the same collection, each in its own process.

Every contestant is first compared with float64; one whose scores are wrong is not timed.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from typing import Callable, Sequence

import numpy as np

from inflate_shrink.cpu import processor_flags
from inflate_shrink.errors import InputError

from .drawn import draw_query, draw_rows, items_that_fit, stored_bytes
from .peers import OURS, PEERS, Peer
from .timing import best_and_median, milliseconds
from .worker import Worker, WorkerError, load

CHUNKS = (16, 64, 256, 1024)  # images at a time that a chunked peer tries, besides all
TOLERANCE = {"float32": 1e-4, "bfloat16": 1e-2, "int8": 2e-2}  # of the largest score: wrong beyond
# Times faster than the fastest peer, d > 256 and d <= 256.
TARGET = {
    "float32": (2.0, 3.0),
    "bfloat16": (2.0, 3.0),
    "int8": (1.6, 1.6),
}
_CHECKED = 64  # images compared with float64
_PAUSE = 0.3  # seconds in which the OpenMP threads of the one before fall asleep


class Contestant:
    """One peer in its process (:class:`.worker.Worker`)."""

    def __init__(self, target: str, threads: int):
        self.peer_class, self.threads = load(target), threads
        self.call: Callable | None = None  # one query of the collection that was prepared

    def prepare(self, images: int, fragments: int, dim: int, seed: int) -> dict:
        """Draw the collection, check the scores, find the best chunk.

        Returns:
            ``status``, "ready" or "wrong"; ``difference``, the largest from float64's as part of the largest score
            (None: the scores are no numbers, or not one for each image); ``chunk``, None if it has none.
        """
        self.call = None  # and the collection before it
        vectors = draw_rows(images, fragments, dim, "float32", seed).values.reshape(images, fragments, dim)
        query = draw_query(fragments, dim, seed)
        sample = np.unique(np.linspace(0, images - 1, _CHECKED).astype(int))
        expected = (vectors[sample].astype(np.float64) @ query.T.astype(np.float64)).max(1).sum(1)
        peer = self.peer_class(vectors, self.threads)
        chunks = [chunk for chunk in CHUNKS if chunk < images] + [images] if peer.chunked else [images]
        found = np.asarray(peer.score(query, chunks[0]), np.float64)
        error = np.abs(found[sample] - expected).max() / np.abs(expected).max() if found.shape == (images,) else np.inf
        difference = float(error) if np.isfinite(error) else None
        if difference is None or difference > TOLERANCE[peer.precision]:
            wrong = "are no scores"
            if difference is not None:
                wrong = f"differ from float64's by {difference:.2g} of the largest"
            reason = f"its scores {wrong}, allowed is {TOLERANCE[peer.precision]:g}"
            return {"status": "wrong", "difference": difference, "reason": reason}
        if len(chunks) > 1:
            chunks.sort(key=lambda chunk: min(milliseconds(lambda: peer.score(query, chunk), 10, 0.5)))
        self.call = lambda: peer.score(query, chunks[0])
        return {"status": "ready", "difference": difference, "chunk": chunks[0] if peer.chunked else None}

    def time(self, calls: int, seconds: float) -> list[float]:
        """Return the milliseconds of each call."""
        return milliseconds(self.call, calls, seconds)


def choose_peers(names: Sequence[str]) -> list[str]:
    """Import paths of the peers with these names, or ``MODULE:CLASS``; no names: all of :data:`.peers.PEERS`.

    Raises InputError for another name.
    """
    known = [peer.name for peer in PEERS]
    chosen = []
    for name in names or dict.fromkeys(known):
        peers = [peer for peer in PEERS if peer.name == name]  # one name may have several precisions
        try:
            peers = peers or [load(name)]
        except (ImportError, AttributeError, ValueError):
            pass
        if not all(
            isinstance(peer, type) and issubclass(peer, Peer) and peer.precision in TARGET for peer in peers or [None]
        ):
            raise InputError(
                f"--peers: {name!r} is none of {', '.join(map(repr, dict.fromkeys(known)))}, "
                "and no MODULE:CLASS of a peer with a precision"
            )
        chosen += map(path_of, peers)
    return chosen


def path_of(peer: type) -> str:
    """Return MODULE:CLASS, by which a process of its own finds the peer."""
    return f"{peer.__module__}:{peer.__name__}"


def measure_contests(
    peers: Sequence[str], dims: Sequence[int], images: int, threads: int, seed: int, *,
    fragments: int = 32, rounds: int = 4, seconds: float = 0.4, show: Callable[[str], None] = lambda text: None,
) -> list[dict]:  # fmt: skip
    """Hold a contest for each precision that a peer has, and each dimension.

    Args:
        peers: import paths.
        rounds, seconds: each contestant is called for so long (once at least), in so many rounds.

    Returns:
        Dicts with ``precision``, ``dim``, ``images`` (fewer than asked for where memory is short), ``fragments``,
        ``threads``, and what :func:`compare` returns.
    """
    contests = []
    for ours in OURS:
        rivals = [path for path in peers if load(path).precision == ours.precision]
        if not rivals:
            continue
        with ExitStack() as stack:
            entries = {path: _describe(load(path)) for path in [path_of(ours), *rivals]}
            workers = {}
            for path, entry in entries.items():
                if entry["status"] == "installed":
                    settings = {"target": path, "threads": threads}
                    worker = Worker(path_of(Contestant), threads, settings, load(path).environment)
                    workers[path] = stack.enter_context(worker)
            # all hold a collection, one of them twice while it is drawn; memory of the one before is used again
            fits = {
                dim: items_that_fit(images, (len(workers) + 2) * stored_bytes(1, fragments, dim, "float32"))
                for dim in dims
            }
            for dim, fit in fits.items():
                found = {path: dict(entry) for path, entry in entries.items()}
                size = {"images": fit, "fragments": fragments, "dim": dim, "seed": seed}
                for path, worker in workers.items():
                    show(f"peers, {ours.precision}, d = {dim}: preparing {found[path]['name']}")
                    _prepare(worker, found[path], size)
                show(f"peers, {ours.precision}, d = {dim}: measuring")
                _time(workers, found, rounds, seconds)
                shape = {"images": fit, "images_wanted": images, "fragments": fragments, "threads": threads}
                compared = compare(list(found.values()), ours.precision, dim)
                contests.append({"precision": ours.precision, "dim": dim, **shape, **compared})
    return contests


def compare(contestants: list[dict], precision: str, dim: int) -> dict:
    """Compare what was measured; the first contestant is ours.

    Returns:
        ``contestants``, the measured ones with ``ratio``, their best time by ours; ``fastest``, the name of the
        fastest peer, and its ``ratio`` (None: no peer was measured); ``target`` and whether it is ``met``.
    """
    ours, *rivals = contestants
    measured = [rival for rival in rivals if rival["status"] == "measured" and ours["status"] == "measured"]
    for rival in measured:
        rival["ratio"] = rival["ms"] / ours["ms"]
    fastest = min(measured, key=lambda rival: rival["ms"], default=None)
    target, ratio = TARGET[precision][dim <= 256], fastest and fastest["ratio"]
    return {
        "contestants": contestants,
        "fastest": fastest and fastest["name"],
        "ratio": ratio,
        "target": target,
        "met": fastest and ratio >= target,
    }


def _describe(peer: type) -> dict:
    """Return the name of a peer and whether it can run here: ``status`` installed, or another with a ``reason``."""
    missing = sorted(peer.flags - processor_flags())
    if missing:
        return {"name": peer.name, "status": "not for this processor", "reason": f"it lacks {', '.join(missing)}"}
    versions = {}
    for package in peer.packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            return {"name": peer.name, "status": "not installed", "reason": f"pip install {package}"}
    return {"name": peer.name, "status": "installed", "version": next(iter(versions.values()), None)}


def _prepare(worker: Worker, entry: dict, size: dict) -> None:
    try:
        entry.update(worker.call("prepare", **size))
    except WorkerError as error:
        entry.update(status="failed", reason=str(error))


def _time(workers: dict, entries: dict, rounds: int, seconds: float) -> None:
    """Time the contestants that are ready, in turn, round after round; one that fails meanwhile is left out of the
    rest."""
    times: dict = {path: [] for path, entry in entries.items() if entry["status"] == "ready"}
    for _ in range(rounds):
        for path in list(times):
            time.sleep(_PAUSE)
            try:
                times[path] += workers[path].call("time", calls=1000, seconds=seconds)
            except WorkerError as error:
                entries[path].update(status="failed", reason=str(error))
                del times[path]
    for path, of_peer in times.items():
        entries[path].update(status="measured", **best_and_median(of_peer))
