"""The demo: its data, and its results as a file and as a table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ..atomic import write_json
from ..errors import InputError
from ..published import published_table
from .result import METRICS, SIDES


def make_demo_data() -> None:
    """Make data/demo if it is not there. Raises InputError if that fails; the tool has then printed why."""
    command = ["-m", "inflate_shrink.commands.make_demo_data"]
    print(f"$ python {' '.join(command)}", flush=True)
    if subprocess.run([sys.executable, *command]).returncode:
        raise InputError("the demo data set could not be made (see above)")


def write_results(path: str | Path, results: list[dict]) -> None:
    """Write a list of the models with their recalls in percent and milliseconds a query, from the contents of several result.json."""
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
    """The contents of several result.json as text, each row beside the paper's Table 2 for the same model."""
    paper = published_table("table2")
    lines = [
        f"{'':36}{'demo data, measured here':^33}  {'ms per query':^14}  {'paper, Flickr30K':^33}",
        f"{'model':<7}{'codes':>5} {'fragments':>9} {'interactions':>12}  {'t2i R@1/5/10':>15} {'i2t R@1/5/10':>17}"
        f"  {'encode':>6} {'score':>7}  {'t2i R@1/5/10':>15} {'i2t R@1/5/10':>17}",
    ]
    for row in results:
        ours, latency = row["evaluations"]["full"], row["latency"]
        measured = [_recalls([ours[side][key] for key in METRICS]) for side in SIDES]
        theirs = [_recalls(paper[row["name"]]["flickr30k"][side]) for side in SIDES]
        interactions = f"{row['fragments']} x {row['fragments']}"
        lines.append(
            f"{row['name']:<7}{row['codes']:>5} {row['fragments']:>9} {interactions:>12}  {measured[0]:>15} {measured[1]:>17}"
            f"  {latency['encode_ms']:>6.2f} {latency['score_ms']:>7.3f}  {theirs[0]:>15} {theirs[1]:>17}"
        )
    tested = results[0]["evaluations"]["full"]
    lines.append(
        f"{tested['images']} test images, {tested['captions']} captions; a query is one caption, scored against all images. The paper's"
        "\nmodels saw other, real data: compare the steps from row to row, not the numbers."
    )
    return "\n".join(lines)


def _recalls(values: list[float]) -> str:
    return "/".join(f"{value:.1f}" for value in values)
