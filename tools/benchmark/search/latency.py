"""The paper's Tables 3 and 4 on this machine: encoding a query, and scoring candidates by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from inflate_shrink.config import load_config
from inflate_shrink.errors import InputError
from inflate_shrink.published import published_table

from ..environment import environment
from .encoding import REGIONS
from .scoring import Shape, measure_scoring, measure_scoring_on_device
from .worker import Worker

CROSS_OF_PAPER = "Unicoder-VL"  # the cross-BERT of Table 3


@dataclass(frozen=True)
class LatencyBenchmark:
    """How much is measured: config files of ``models`` and of a ``cross``-BERT ("": none), numbers of ``candidates``,
    ``pairs`` of the cross-BERT's sample. threads: 0 for all cores this process may use."""

    models: tuple[str, ...]
    cross: str = ""
    candidates: tuple[int, ...] = (1000, 10_000, 100_000, 1_000_000)
    pairs: int = 64
    threads: int = 0
    seed: int = 0

    def __post_init__(self):
        least = {
            "candidates": (min(self.candidates), 1),
            "pairs": (self.pairs, 1),
            "threads": (self.threads, 0),
            "seed": (self.seed, 0),
        }
        for option, (value, smallest) in least.items():
            if value < smallest:
                raise InputError(f"--{option} must be {smallest} or more, found {value}")


def measure_latency(amount: LatencyBenchmark, show: Callable[[str], None], progress: Callable[[str], None]) -> dict:
    """Measure both tables and hand each to ``show``, as text, as soon as it is known; ``progress`` says what is being
    done.

    Returns:
        ``environment``, ``seed``, ``threads``, ``device`` (Paddle's name of it), ``candidates``; ``encoding``: dicts of
        ``model``, ``fragments``, the times ``eager`` and ``exported``, and ``paper``, milliseconds; ``cross``, see
        :func:`extrapolate`; ``scoring`` and ``on_device`` (None: no GPU): as of :mod:`.scoring`, with ``paper``, the
        milliseconds of Table 4 (None: not of its number of candidates).

    Raises:
        InputError: a config is missing or its model cannot be measured.
    """
    from .latency_report import describe, encoding_text, scoring_text

    shapes = {path: _shape(path, cross=False) for path in amount.models}
    if amount.cross:
        _shape(amount.cross, cross=True)
    found = environment("paddlepaddle-gpu")
    threads = amount.threads or found["cores"]
    result: dict = {
        "environment": found,
        "seed": amount.seed,
        "threads": threads,
        "candidates": list(amount.candidates),
    }
    progress("encoding: starting Paddle")
    with Worker("benchmark.search.encoding:Encoding", threads, {"threads": threads, "seed": amount.seed}) as worker:
        result["device"] = worker.call("device")
        show(describe(result))
        table3 = published_table("table3")["ms"]
        result["encoding"] = []
        for path, shape in shapes.items():
            progress(f"encoding: {shape.model}")
            times = worker.call("query", config=path)
            result["encoding"].append({**shape._asdict(), **times, "paper": table3.get(shape.model, [None])[0]})
        result["cross"] = None
        if amount.cross:
            progress(f"encoding: {amount.pairs} pairs of the cross-BERT")
            sample = worker.call("pairs", config=amount.cross, pairs=amount.pairs)
            result["cross"] = extrapolate(sample, amount.candidates)
    show("\n" + encoding_text(result))
    what = list(shapes.values()), amount.candidates, threads, amount.seed
    result["scoring"] = _with_paper(measure_scoring(*what, show=progress))
    result["on_device"] = None
    if result["device"].startswith("gpu"):
        result["on_device"] = _with_paper(measure_scoring_on_device(*what, show=progress))
    show("\n" + scoring_text(result))
    return result


def extrapolate(sample: dict, candidates) -> dict:
    """Return ``pairs`` and ``ms_per_pair`` of a measured sample, and ``times``: for each number of candidates, ``ms``
    and ``paper``'s."""
    table3 = published_table("table3")
    paper = dict(zip(table3["candidates"], table3["ms"][CROSS_OF_PAPER]))
    times = [
        {"candidates": count, "ms": count * sample["ms_per_pair"], "paper": paper.get(count)} for count in candidates
    ]
    return {**sample, "extrapolated": f"extrapolated from {sample['pairs']} pairs", "times": times}


def _with_paper(entries: list[dict]) -> list[dict]:
    table4, candidates = published_table("table4"), 100_000
    return [
        {**one, "paper": table4.get(one["model"], {}).get("ms") if one["candidates"] == candidates else None}
        for one in entries
    ]


def _shape(path: str, cross: bool) -> Shape:
    config = load_config(path)
    if (config.model.scoring == "cross") != cross:
        raise InputError(
            f"{path}: model.scoring is {config.model.scoring}; give a cross-BERT to --cross, the others to --models"
        )
    return Shape(
        config.name or path, config.model.fragments_of(min(config.data.text_length, REGIONS)), config.model.hidden
    )
