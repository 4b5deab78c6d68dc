"""Search: the kernel's share of the limit, its peers, F's vectors and batches, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from inflate_shrink.errors import InputError
from inflate_shrink.kernel import paths

from ..environment import environment
from .batches import measure_batches
from .contest import choose_peers, measure_contests
from .limit import measure_limit, paper_bound
from .nearest import measure_nearest

SECTIONS = ("limit", "peers", "nearest", "batches")
DISTRIBUTIONS = ("torch", "colbert-ai", "pylate", "maxsim-cpu", "faiss-cpu")


@dataclass(frozen=True)
class SearchBenchmark:
    """How much is measured.

    images: of the kernel's share of the limit; peer_images and dims: of the contests; vectors: of F. peers: names, or
    MODULE:CLASS, empty for all. threads: 0 for all cores this process may use. rounds: turns of every contestant.
    """

    images: int = 100_000
    peer_images: int = 10_000
    dims: tuple[int, ...] = (768, 256, 128)
    vectors: tuple[int, ...] = (100_000, 500_000)
    peers: tuple[str, ...] = ()
    sections: tuple[str, ...] = SECTIONS
    threads: int = 0
    rounds: int = 4
    seed: int = 0

    def __post_init__(self):
        least = {
            "images": (self.images, 1),
            "peer-images": (self.peer_images, 1),
            "dims": (min(self.dims), 8),
            "vectors": (min(self.vectors), 40),
            "threads": (self.threads, 0),
            "rounds": (self.rounds, 1),
            "seed": (self.seed, 0),
        }
        for option, (value, smallest) in least.items():
            if value < smallest:
                raise InputError(f"--{option} must be {smallest} or more, found {value}")
        if any(dim % 8 for dim in self.dims):
            raise InputError(
                f"--dims must be multiples of 8, which some peers need, found {', '.join(map(str, self.dims))}"
            )


def measure_search(amount: SearchBenchmark, show: Callable[[str], None], progress: Callable[[str], None]) -> dict:
    """Measure the sections and hand each to ``show``, as text, as soon as it is known.

    Args:
        progress: is told what is being done.

    Returns:
        ``environment``, ``seed``, ``threads``, ``paths`` of the kernel, and the sections ``limit``, ``paper`` (of
        :func:`.limit.paper_bound`), ``peers``, ``nearest`` and ``batches`` (None: not measured), as JSON has it.

    Raises:
        InputError: there is no such peer (before anything is measured).
    """
    from .report import describe, section_text

    peers = choose_peers(amount.peers)
    found = environment(*DISTRIBUTIONS)
    threads = amount.threads or found["cores"]
    result: dict = {"environment": found, "seed": amount.seed, "threads": threads, "paths": list(paths())}
    show(describe(result))
    measures = {
        "limit": lambda: measure_limit(amount.images, threads, amount.seed, rounds=amount.rounds, show=progress),
        "peers": lambda: measure_contests(
            peers, amount.dims, amount.peer_images, threads, amount.seed, rounds=amount.rounds, show=progress
        ),
        "nearest": lambda: measure_nearest(amount.vectors, threads, amount.seed, rounds=amount.rounds, show=progress),
        "batches": lambda: measure_batches(
            amount.peer_images, threads, amount.seed, rounds=amount.rounds, show=progress
        ),
    }
    for name, measure in measures.items():
        result[name] = measure() if name in amount.sections else None
        if name == "limit":
            result["paper"] = paper_bound(result["limit"] or [])
        show("\n" + section_text(name, result))
    return result
