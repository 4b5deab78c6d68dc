"""The demo: its data, and its results as a file and as a table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ..atomic import write_json
from ..errors import InputError
from ..formatting import HEADINGS, recalls_text, slashes, text_table
from ..published import published_table
from .result import METRICS, SIDES


def make_demo_data() -> None:
    """Make data/demo if it is not there. Raises InputError if that fails; the tool has then printed why."""
    command = ["-m", "inflate_shrink.commands.make_demo_data"]
    print(f"$ python {' '.join(command)}", flush=True)
    if subprocess.run([sys.executable, *command]).returncode:
        raise InputError("the demo data set could not be made (see above)")


def write_results(path: str | Path, results: list[dict]) -> None:
    """Write a list of the models with their recalls in percent and milliseconds a query, from the contents of several
    result.json."""
    models = []
    for result in results:
        recalls, latency = result["evaluations"]["full"], result["latency"]
        models.append({
            "model": result["name"], "codes": result["codes"], "fragments": result["fragments"],
            **{side: {key: recalls[side][key] for key in METRICS} for side in SIDES},
            "encode_ms": latency["encode_ms"], "score_ms": latency["score_ms"],
        })  # fmt: skip
    write_json(path, models)


def format_table(results: list[dict]) -> str:
    """Write the contents of several result.json as text, each row beside the paper's Table 2 for the same model."""
    paper = published_table("table2")
    rows = [("model", "codes", "fragments", "interactions", *HEADINGS, "encode", "score", *HEADINGS)]
    for row in results:
        measured, latency = recalls_text(row["evaluations"]["full"]), row["latency"]
        theirs = [slashes(paper[row["name"]]["flickr30k"][side]) for side in SIDES]
        milliseconds = f"{latency['encode_ms']:.2f}", f"{latency['score_ms']:.3f}"
        interactions = f"{row['fragments']} x {row['fragments']}"
        rows.append((row["name"], row["codes"], row["fragments"], interactions, *measured, *milliseconds, *theirs))
    tested = results[0]["evaluations"]["full"]
    return "\n".join([
        f"{'':36}{'demo data, measured here':^33}  {'ms per query':^14}  {'paper, Flickr30K':^33}",
        text_table("{:<7}{:>5} {:>9} {:>12}  {:>15} {:>17}  {:>6} {:>7}  {:>15} {:>17}", rows),
        f"{tested['images']} test images, {tested['captions']} captions; "
        "a query is one caption, scored against all images. The paper's",
        "models saw other, real data: compare what changes from row to row, not the numbers.",
    ])  # fmt: skip
