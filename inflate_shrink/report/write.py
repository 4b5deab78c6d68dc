"""Tables as Markdown, CSV and JSON. Recalls are in percent."""

from __future__ import annotations

import csv
import io
from typing import Iterable

from ..formatting import HEADINGS, markdown_cell, markdown_table, slashes
from ..pipeline.result import METRICS, SIDES
from ..published import published_table
from .collect import Group, Recalls, mean_recalls
from .runs import Bench
from .tables import DATA_SETS, TITLES, Row, Table, label

_PROTOCOLS = {
    "full": "all at once",
    "first1k": "the first of the split",
    "fold5": "mean over folds of 1,000",
}
_CSV = (
    "data split protocol images captions table row model note codes fragments recipe scoring seeds n "
    "direction metric published ours deviation difference"
).split()
_OTHER_METHODS = (
    "No difference is taken from other methods: their features and training are others, "
    "and on MSCOCO1K some are means of five folds."
)


def markdown(
    data: str,
    keys: list[str],
    tables: list[Table],
    reranked: list[Group],
    figures: Iterable[tuple[str, str]],
    remarks: list[str],
    note: str = "",
) -> str:
    """Write a data set's page.

    Args:
        keys: of the tables that were asked for; those without any run are named.
        reranked: groups with results of reranking.
        figures: names of image files, with captions.
        remarks: lines at the end, such as files that could not be read.
        note: under the title, such as the command that made the runs.
    """
    parts = [f"# {data}: results", *filter(None, [note])]
    parts.append(
        "R@1/5/10 in percent, text to image (t2i) and image to text (i2t); several seeds: mean ± sample deviation."
    )
    for bench in dict.fromkeys(table.bench for table in tables):
        parts.append(f"## {_heading(bench)}")
        if not bench.paper:
            parts.append(
                "The paper's numbers are of other images or another protocol: "
                "compare what changes from row to row, not numbers."
            )
        for table in tables:
            if table.bench == bench:
                parts += [f"### {table.title}", _table(table), _below(table)]
        empty = [
            key
            for key in keys
            if key not in ("rerank", "other") and (key, bench) not in [(table.key, table.bench) for table in tables]
        ]
        if empty:
            parts.append(f"Tables without a run: {', '.join(empty)}.")
    if reranked:
        parts += _reranking(reranked)
    for file, caption in figures:
        parts += [f"![{caption.split('.')[0]}]({file})", caption]
    if remarks:
        parts += ["## Not counted", "\n".join(f"- {markdown_cell(line)}" for line in remarks)]
    return "\n\n".join(parts) + "\n"


def csv_text(tables: list[Table], reranked: list[Group]) -> str:
    """Write a line for each table, row, direction and metric.

    ``published`` and ``difference`` (ours - published) are filled only where both are of the same images under
    the same protocol; ``ours`` is the mean over ``seeds``. ``n`` is the depth of reranking.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, _CSV, lineterminator="\n")
    writer.writeheader()
    for table in tables:
        for row in table.rows:
            ours = {side: row.group.recalls(table.bench, side) for side in SIDES} if row.group else {}
            published = row.published if table.comparable else {}
            same = {**table.bench._asdict(), "table": table.key, "row": _row_name(row), **_identity(row.group)}
            writer.writerows(_csv_lines(same, published, ours, row.same_method))
    for group in reranked:
        for n, runs in _depths(group).items():
            same = {
                "data": group.first.data,
                "split": group.first.split,
                "table": "rerank",
                "row": group.first.name,
                "n": n,
                **_identity(group),
            }
            writer.writerows(
                _csv_lines(same, {}, {side: mean_recalls([run[side] for run in runs]) for side in SIDES}, True)
            )
            writer.writerow({**same, "metric": "ms_per_query", "ours": _mean_ms(runs)})
    return out.getvalue()


def as_json(data: str, tables: list[Table], groups: list[Group], remarks: list[str]) -> dict:
    """Return everything, unrounded: the tables, and each run's file as it was read."""
    return {
        "data": data,
        "tables": [_json_table(table) for table in tables],
        "groups": [
            {"note": group.note, "runs": [{"path": str(run.path), **run.values} for run in group.runs]}
            for group in groups
        ],
        "not_counted": remarks,
    }


def _json_table(table: Table) -> dict:
    rows = []
    for row in table.rows:
        ours = {side: row.group.recalls(table.bench, side)._asdict() for side in SIDES} if row.group else None
        rows.append({"row": row.cells, "published": row.published, "ours": ours, **_identity(row.group)})
    about = {
        "table": table.key,
        "title": table.title,
        "bench": table.bench._asdict(),
        "published_on": table.column,
        "comparable": table.comparable,
    }
    return {**about, "rows": rows, "not_run": table.not_run}


def _table(table: Table) -> str:
    leading = list(dict.fromkeys(key for row in table.rows for key in row.cells))
    paper = DATA_SETS.get(table.column, "")
    if table.comparable:
        heads = [f"{side}: {part}" for side in SIDES for part in ("paper", "ours", "difference")]
    else:
        heads = [*HEADINGS, "rsum"] + [f"paper, {paper}: {side}" for side in SIDES if paper]
    rows = [[row.cells.get(key, "") for key in leading] + _numbers(table, row) for row in table.rows]
    if len({tuple(group.seeds) for group in table.groups}) > 1:
        heads.append("seeds")
        rows = [cells + [_seeds(row.group.seeds) if row.group else ""] for cells, row in zip(rows, table.rows)]
    return markdown_table(leading + heads, rows)


def _numbers(table: Table, row: Row) -> list[str]:
    ours = {side: row.group.recalls(table.bench, side) for side in SIDES} if row.group else {}
    published = {side: slashes(row.published[side] or ()) for side in SIDES}
    if not table.comparable:
        rsum = sum(sum(recalls.mean) for recalls in ours.values())
        return [*(_recalls(ours[side]) for side in SIDES), f"{rsum:.1f}", *(published.values() if table.column else ())]
    cells = []
    for side in SIDES:
        difference = _difference(row.published[side], ours.get(side), row.same_method)
        cells += [published[side], _recalls(ours.get(side)), slashes(difference or (), "+.1f")]
    return cells


def _below(table: Table) -> str:
    """Say what was measured on what, by whom and when, and what is missing."""
    bench = table.bench
    measured = f"Split {bench.split}, protocol {bench.protocol}: {bench.images:,} images, {bench.captions:,} captions"
    lines = [f"{measured}; {_origin(table.groups)}"]
    if table.comparable and not all(row.same_method for row in table.rows):
        lines.append(_OTHER_METHODS)
    if bench.paper and table.column and not table.comparable:
        lines.append(
            f"The paper has this table on {DATA_SETS[table.column]} alone: "
            "compare what changes from row to row, not numbers."
        )
    if table.not_run:
        lines.append(f"Not run here: {', '.join(table.not_run)}.")
    return " ".join(lines)


def _reranking(groups: list[Group]) -> list[str]:
    rows = []
    for group in groups:
        for n, runs in _depths(group).items():
            recalls = [mean_recalls([run[side] for run in runs]) for side in SIDES]
            rows.append([label(group), str(n), *map(_recalls, recalls), f"{_mean_ms(runs):.2f}"])
    runs = [run for group in groups for run in group.runs]
    images = dict.fromkeys(
        f"Split {run.split}" + (f", {run.images:,} images" if "images" in run.values else "") for run in runs
    )
    below = (
        f"{'; '.join(images)}; {_origin(groups)} A cross-BERT orders the retriever's best n again; "
        "n = 0 is the retriever alone."
    )
    published = [
        f"{name} {slashes(row[column]['t2i'])} on {DATA_SETS.get(column, '5,000 images of MSCOCO')}"
        for column in ("flickr30k", "coco5k")
        for name, row in published_table("rfrs").items()
    ]
    below += f" Published, t2i, from OSCAR's pre-trained weights (Geigle et al. 2022): {', '.join(published)}."
    return [f"## {TITLES['rerank']}", markdown_table(["model", "n", *HEADINGS, "ms per query"], rows), below]


def _depths(group: Group) -> dict[int, list[dict]]:
    """Collect the seeds' results by their depth n."""
    depths: dict[int, list[dict]] = {}
    for run in group.runs:
        for result in run.rerank or []:
            depths.setdefault(result["n"], []).append(result)
    return dict(sorted(depths.items()))


def _mean_ms(results: list[dict]) -> float:
    return sum(result["ms_per_query"] for result in results) / len(results)


def _csv_lines(same: dict, published: dict, ours: dict[str, Recalls], same_method: bool) -> list[dict]:
    lines = []
    for side in SIDES:
        theirs, found = published.get(side), ours.get(side)
        difference = _difference(theirs, found, same_method)
        for i, metric in enumerate(METRICS):
            values = {
                "published": theirs[i] if theirs else "",
                "ours": found.mean[i] if found else "",
                "deviation": found.deviation[i] if found and found.deviation else "",
                "difference": difference[i] if difference else "",
            }
            if theirs or found:
                lines.append({**same, "direction": side, "metric": metric, **values})
    return lines


def _difference(published: list[float] | None, ours: Recalls | None, same_method: bool) -> list[float] | None:
    return [ours.mean[i] - published[i] for i in range(len(published))] if published and ours and same_method else None


def _identity(group: Group | None) -> dict:
    if not group:
        return {}
    keys = ("codes", "fragments", "recipe", "scoring")
    return {
        "model": group.first.name,
        "note": group.note,
        **{key: getattr(group.first, key) for key in keys},
        "seeds": _seeds(group.seeds, " "),
    }


def _row_name(row: Row) -> str:
    """Name a published row: its setting and its method or model."""
    name = row.cells.get("method") or row.cells["model"].split(",")[0]
    return f"setting {row.cells['setting']}: {name}" if "setting" in row.cells else name


def _heading(bench: Bench) -> str:
    parts = [f"{bench.images:,} images", _PROTOCOLS.get(bench.protocol, ""), "as in the paper" if bench.paper else ""]
    return f"Split {bench.split}, protocol {bench.protocol}: {', '.join(filter(None, parts))}"


def _origin(groups: list[Group]) -> str:
    """Say seeds, hardware, Paddle and dates of the runs."""
    training = [run.training for group in groups for run in group.runs]
    seeds = sorted({run.seed for group in groups for run in group.runs})
    dates = sorted({str(values["date"])[:10] for values in training if values.get("date")})
    hardware = sorted({str(values["hardware"]) for values in training if values.get("hardware")})
    paddle = sorted({f"Paddle {values['paddle']}" for values in training if values.get("paddle")})
    when = [" to ".join(dict.fromkeys([dates[0], dates[-1]]))] if dates else []
    return "; ".join([f"seed{'s' * (len(seeds) > 1)} {_seeds(seeds)}", *hardware, *paddle, *when]) + "."


def _recalls(recalls: Recalls | None) -> str:
    if recalls is None:
        return ""
    return slashes(recalls.mean) + (f" ± {slashes(recalls.deviation)}" if recalls.deviation else "")


def _seeds(seeds: list[int], separator: str = ", ") -> str:
    return separator.join(map(str, seeds))
