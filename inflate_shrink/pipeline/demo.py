"""The demo: its data, and its results as a file and as a table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ..atomic import write_json
from ..config import Config
from ..data.tokenized import open_training_data, tokenize_split
from ..engine.evaluate import as_json
from ..errors import InputError
from ..formatting import HEADINGS, recalls_text, slashes, text_table
from ..model.linear_start import LinearModel
from ..published import published_table
from .result import METRICS, SIDES, finished_result


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


def linear_model(config: Config) -> dict:
    """Return the recalls of the linear model that the trained ones start from, on the test split, as JSON values."""
    data = open_training_data(config.data, config.optim.batch_size)
    test = tokenize_split(data.store, config.data.test_split, data.tokenizer)
    found = LinearModel(data, config.model.hidden).recalls(data.store, test)
    return as_json(found, "full", len(test.split.image_rows), len(test.ids))


def format_table(results: list[dict], linear: dict) -> str:
    """Write the contents of several result.json as text, each row beside the paper's Table 2 for the same model.

    ``linear``: the recalls of :func:`linear_model`, for the first row.
    """
    paper = published_table("table2")
    rows = [
        ("model", "codes", "interactions", "updates", *HEADINGS, "encode", "score", *HEADINGS),
        ("linear", "", "", 0, *recalls_text(linear), "", "", "", ""),
    ]
    for row in results:
        measured, latency = recalls_text(row["evaluations"]["full"]), row["latency"]
        theirs = [slashes(paper[row["name"]]["flickr30k"][side]) for side in SIDES]
        milliseconds = f"{latency['encode_ms']:.2f}", f"{latency['score_ms']:.3f}"
        shape = row["codes"], f"{row['fragments']} x {row['fragments']}", _updates(row)
        rows.append((row["name"], *shape, *measured, *milliseconds, *theirs))
    tested = results[0]["evaluations"]["full"]
    return "\n".join([
        f"{'':35}{'demo data, measured here':^33}  {'ms per query':^14}  {'paper, Flickr30K':^33}",
        text_table("{:<7}{:>5} {:>12} {:>8}  {:>15} {:>17}  {:>6} {:>7}  {:>15} {:>17}", rows),
        f"{tested['images']} test images, {tested['captions']} captions; "
        "a query is one caption, scored against all images. Updates are those",
        "of a model's weights, with those of what it started from: rows of one kind compare where they have had as many.",
        "The paper's models saw other, real data: compare what changes from row to row, not the numbers.",
    ])  # fmt: skip


def _updates(result: dict) -> int:
    """Return the updates that a model's weights have had, with those of what it started from."""
    init, teacher = result["config"]["model"]["init"], result["config"]["distill"]["teacher"]
    start = finished_result(Path(teacher if init == "teacher" else init))
    return result["training"]["steps"] + (_updates(start) if start else 0)
