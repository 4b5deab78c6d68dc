"""Memory of a process that searches an index, as its queries go on: ``python -m benchmark.search.memory INDEX``.

Standard input: an .npz of queries, an array (l, d) each. Prints JSON: for growing numbers of queries the MiB that are
the process's own, and those of mapped files, which the system takes back when it needs them.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Sequence

import numpy as np

from ..environment import new_process


def memory_of_search(index: Path, fragments: Sequence[np.ndarray]) -> list[dict]:
    """Search exactly by every query (l, d) in a fresh process; return ``queries``, ``own_mib`` and ``mapped_mib`` as
    they go on."""
    given = io.BytesIO()
    np.savez(given, *fragments)
    command = [sys.executable, "-m", __name__, str(Path(index).resolve())]
    return json.loads(
        subprocess.run(command, input=given.getvalue(), stdout=subprocess.PIPE, check=True, **new_process()).stdout
    )


def _main(index: str) -> None:
    from inflate_shrink.search.searcher import Searcher

    fragments = list(np.load(io.BytesIO(sys.stdin.buffer.read())).values())
    searcher, rows = Searcher(index), []
    marks = {1, len(fragments) // 4, len(fragments) // 2, len(fragments)}
    for number, query in enumerate(fragments, 1):
        searcher.search_fragments(query, mode="exact")
        if number in marks:
            rows.append({"queries": number, "own_mib": resident("RssAnon"), "mapped_mib": resident("RssFile")})
    print(json.dumps(rows))


def resident(kind: str) -> float:
    """Return the MiB of a line of /proc/self/status: VmRSS, RssAnon, RssFile, or VmHWM, the peak of VmRSS."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split(f"{kind}:")[1].split()[0]) / 1024


if __name__ == "__main__":
    _main(sys.argv[1])
