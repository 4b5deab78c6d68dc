"""Pairs per second of an update, ours and PyTorch's in turn, after both have shown the same losses."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Callable

from inflate_shrink.errors import InputError

from ..environment import describe_environment, environment, workspace
from ..search.worker import Worker
from .case import IMAGES, STEPS, Case, write_data

TOLERANCE = 1e-5  # of a loss
CHECKED = 3  # updates whose losses are compared: of the given weights, and of those that two updates leave
_OURS, _TORCH = "benchmark.training.ours:Ours", "benchmark.training.torch_side:Torch"


@dataclass(frozen=True)
class TrainBenchmark:
    """What is measured: every step with every hidden size, batch size and vocabulary.

    padding: as ``model.score_padding``. rounds: updates of a side at least; seconds: and for so long.
    """

    models: tuple[str, ...] = tuple(STEPS)
    hidden: tuple[int, ...] = (128, 384, 768)
    batches: tuple[int, ...] = (64,)
    vocabulary: tuple[int, ...] = (8000,)
    padding: str = "counted"
    rounds: int = 3
    seconds: float = 6.0
    threads: int = 0
    seed: int = 0

    def __post_init__(self):
        least = {"hidden": 8, "batches": 2, "vocabulary": 2, "rounds": 1, "threads": 0, "seed": 0}
        for option, lowest in least.items():
            value = getattr(self, option)
            found = min(value) if isinstance(value, tuple) else value
            if found < lowest:
                raise InputError(f"--{option} must be {lowest} or more, found {found}")
        if max(self.batches) > IMAGES:
            raise InputError(f"--batches must be {IMAGES} or less, found {max(self.batches)}")

    def cases(self) -> list[Case]:
        """Return all that is measured, in order."""
        return [
            Case(step, hidden, batch, vocabulary, self.padding, self.seed)
            for hidden in self.hidden
            for vocabulary in self.vocabulary
            for batch in self.batches
            for step in self.models
        ]


def measure_training(amount: TrainBenchmark, show: Callable[[str], None], progress: Callable[[str], None]) -> dict:
    """Measure all cases and hand each to ``show``, as text, as soon as it is known.

    Returns:
        ``environment``, ``seed``, ``threads``, ``padding``, and ``cases``: of each its sizes, ``ours`` with the median
        milliseconds of an ``update``, of its parts and of reading the ``data``, ``torch_ms`` (None: not installed),
        ``pairs_per_second`` of ours and ``torch_pairs_per_second``, their ``ratio`` and the largest relative
        ``difference`` of their losses.

    Raises:
        InputError: the losses of the two sides differ, or a side fails.
    """
    from .report import case_text

    found = environment("torch")
    threads = amount.threads or found["cores"]
    sides = {"ours": _OURS, **({"torch": _TORCH} if find_spec("torch") else {})}
    result: dict = {
        "environment": found,
        "seed": amount.seed,
        "threads": threads,
        "padding": amount.padding,
        "cases": [],
    }
    show(describe_environment(found))
    if "torch" not in sides:
        show("PyTorch is not installed: left out (pip install torch==2.13.0)")
    with workspace() as directory, ExitStack() as stack:
        write_data(directory / "data", amount.seed)
        workers = {
            name: stack.enter_context(Worker(side, threads, {"threads": threads})) for name, side in sides.items()
        }
        for case in amount.cases():
            progress(f"{case.step}, hidden {case.hidden}, batch {case.batch}, vocabulary {case.vocabulary}")
            result["cases"].append(_measure(case, workers, amount, directory))
            show(case_text(result["cases"][-1]))
    return result


def _measure(case: Case, workers: dict[str, Worker], amount: TrainBenchmark, directory: Path) -> dict:
    for worker in workers.values():
        worker.call("prepare", case=case.as_json(), directory=str(directory))
    difference = _compare(case, {name: worker.call("losses", updates=CHECKED) for name, worker in workers.items()})
    times: dict[str, list[dict]] = {name: [] for name in workers}
    for worker in workers.values():  # the first with dropout
        worker.call("time", updates=1)
    begin = perf_counter()
    while len(times["ours"]) < amount.rounds or perf_counter() - begin < amount.seconds:
        for name, worker in workers.items():  # in turn, so that other work on the machine slows both
            times[name] += worker.call("time", updates=1)
    ours = {part: median(each[part] for each in times["ours"]) for part in times["ours"][0]}
    torch_ms = median(each["update"] for each in times["torch"]) if "torch" in times else None
    return {
        **case.as_json(),
        "updates": len(times["ours"]),
        "ours": ours,
        "torch_ms": torch_ms,
        "pairs_per_second": 1000 * case.batch / ours["update"],
        "torch_pairs_per_second": torch_ms and 1000 * case.batch / torch_ms,
        "ratio": torch_ms and torch_ms / ours["update"],
        "difference": difference,
    }


def _compare(case: Case, losses: dict[str, list[float]]) -> float | None:
    """Return the largest relative difference between the losses of the sides; raises InputError if it is too large."""
    if "torch" not in losses:
        return None
    pairs = list(zip(losses["ours"], losses["torch"]))
    differences = [abs(ours - other) / max(abs(other), 1e-12) for ours, other in pairs]
    if not all(difference <= TOLERANCE for difference in differences):  # NaN is no small one
        both = ", ".join(f"{ours:.6g} and {other:.6g}" for ours, other in pairs)
        raise InputError(f"{case.step}: the losses of ours and of PyTorch differ ({both}): their times say nothing")
    return max(differences)
