"""How far a long job over many images has come: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Iterable, Iterator

from tqdm import tqdm

SECONDS = 30  # the time between two lines


def reported(items: Iterable, what: str, total: int | None = None, done: int = 0) -> Iterator:
    """Yield the same items; count them from ``done`` to ``total``, if that is known, with throughput and time left."""
    start = last = time.monotonic()
    with tqdm(
        items, desc=what, total=total, initial=done, unit="image", disable=None, dynamic_ncols=True, leave=False
    ) as bar:
        for number, item in enumerate(bar, 1):
            yield item
            now = time.monotonic()
            if bar.disable and now - last > SECONDS:
                last, pace = now, number / (now - start)
                counts = f"{what}: {done + number}{'' if total is None else f' of {total}'} images, {pace:.1f} images/s"
                left = "" if total is None else f", ETA {timedelta(seconds=round((total - done - number) / pace))}"
                print(counts + left, flush=True)
