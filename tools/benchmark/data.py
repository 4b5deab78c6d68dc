"""The data side: clustering, loading, preparing and extracting, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Sequence

from inflate_shrink.errors import InputError

from .clustering import clustering_section, measure_clustering
from .environment import describe_environment, environment
from .loader import loader_section, measure_loader
from .memory import LEAST, measure_memory, memory_section

if TYPE_CHECKING:
    from inflate_shrink.extract.extractor import ExtractorSettings


@dataclass(frozen=True)
class DataBenchmark:
    """How much is measured.

    clustered: images. steps: training updates, and twice as many batches. sizes: of prepared collections. seconds: of
    extraction.
    """

    clustered: int = 200
    steps: int = 15
    sizes: tuple[int, ...] = (1000, 10000)
    seconds: float = 10.0
    seed: int = 0

    def __post_init__(self):
        least = {"clustered": 1, "steps": 1, "sizes": LEAST, "seed": 0}
        found = {"clustered": self.clustered, "steps": self.steps, "sizes": min(self.sizes), "seed": self.seed}
        for option, value in found.items():
            if value < least[option]:
                raise InputError(f"--{option} must be {least[option]} or more, found {value}")
        if not 0 < self.seconds < float("inf"):
            raise InputError(f"--seconds must be a number above 0, found {self.seconds}")


def measure_data(
    amount: DataBenchmark,
    prepare: Sequence[str],
    images: str = "",
    extractor: ExtractorSettings | None = None,
    show: Callable[[str], None] = print,
) -> dict:
    """Measure every section and hand each to ``show``, as text, as soon as it is known.

    Args:
        prepare: the command of tools/prepare_data.py.
        images, extractor: photos and what describes them; without both extraction is not measured.

    Returns:
        ``environment`` and the sections ``clustering``, ``loader``, ``memory`` and ``extraction`` (None: not
        measured), as JSON has it.

    Raises:
        InputError: photos or networks are missing or do not fit (before anything is measured), or the disk is full.
    """
    from .extraction import extraction_section, measure_extraction

    opened = _open(images, extractor) if extractor else None
    result: dict = {"environment": environment(), "seed": amount.seed}
    show(describe_environment(result["environment"]))
    sections = {
        "clustering": (clustering_section, lambda: measure_clustering(amount.clustered, amount.seed)),
        "loader": (loader_section, lambda: measure_loader(2 * amount.steps, amount.steps, amount.seed)),
        "memory": (memory_section, lambda: measure_memory(prepare, amount.sizes, amount.seed)),
        "extraction": (extraction_section, lambda: opened and measure_extraction(*opened, amount.seconds, amount.seed)),
    }
    for name, (describe, measure) in sections.items():
        result[name] = measure()
        show(f"\n{describe(result[name])}")
    return result


def _open(images: str, settings: ExtractorSettings) -> tuple:
    from inflate_shrink.extract.extractor import Extractor
    from inflate_shrink.extract.photos import PhotoFolder

    folder, extractor = PhotoFolder(images), Extractor(settings)
    extractor.check()  # also warms the networks up
    return folder, extractor
