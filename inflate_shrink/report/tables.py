"""The rows of each table: published recalls, and the runs that stand beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Iterable, Iterator, NamedTuple

from ..pipeline.result import SIDES
from ..published import published_table
from .collect import Group
from .runs import Bench

TITLES = {
    "1": "Table 1: inflating",
    "2": "Table 2: shrinking",
    "5": "Table 5: existing methods",
    "6": "Table 6: the first l fragments",
    "7": "Table 7: shrinking from B",
    "8": "Table 8: a cross-BERT as teacher",
    "9": "Table 9: ways of shrinking",
    "rerank": "Reranking by a cross-BERT",
    "other": "Other runs",
}
DATA_SETS = {"coco1k": "MSCOCO1K", "flickr30k": "Flickr30K"}
_METHODS = {"visual_sparta": "VisualSparta", "scan_t2i": "SCAN", "scan_i2t": "SCAN"}  # model.scoring -> row of Table 5


@dataclass
class Row:
    """One line: its leading cells, what was published, and one group of runs or None."""

    cells: dict[str, str]
    published: dict[str, list[float] | None]  # side -> R@1, R@5, R@10; of the data set in Table.column
    group: Group | None
    same_method: bool = True  # published and ours are the same model, so that a difference means something


@dataclass
class Table:
    """A table on one bench.

    ``column`` names the data set of the published recalls. Only where ``comparable`` is true they are
    of the same images under the same protocol, and only then a difference may be taken.
    """

    key: str
    bench: Bench
    column: str
    comparable: bool
    rows: list[Row]
    not_run: list[str] = field(default_factory=list)  # rows that are left out

    @property
    def title(self) -> str:
        """Return the heading."""
        return TITLES[self.key]

    @property
    def groups(self) -> list[Group]:
        """Return the groups of runs that it shows, in the order of its rows."""
        return [row.group for row in self.rows if row.group]


class Model(NamedTuple):
    """A row of a published table that names a model of ours."""

    name: str
    codes: int | None
    fragments: int | None
    published: dict  # coco1k, flickr30k -> recalls
    cells: dict[str, str]

    def runs(self, groups: Iterable[Group]) -> list[Group]:
        """Return the groups that are this model: of its name and its two numbers."""
        scoring = "cross" if self.name == "C" else "late_interaction"
        return [
            group
            for group in groups
            if group.first.name == self.name and group.first.scoring == scoring and self._has_size(group)
        ]

    def _has_size(self, group: Group) -> bool:
        wanted = {"codes": self.codes, "fragments": self.fragments}
        return self.name == "C" or all(
            value is None or getattr(group.first, key) == value for key, value in wanted.items()
        )


def benches(groups: Iterable[Group]) -> list[Bench]:
    """Return what the groups were measured on: the paper's first, then the protocol with most groups."""
    found = [
        bench for group in groups for bench in dict.fromkeys(bench for run in group.runs for bench, _ in run.benches())
    ]
    return sorted(
        dict.fromkeys(found), key=lambda bench: (bench.paper is None, -found.count(bench), found.index(bench))
    )


def build_tables(groups: list[Group], keys: Iterable[str]) -> list[Table]:
    """Build the tables ``keys`` of one data set's groups, on each bench; tables without any run are left out."""
    keys = [key for key in keys if key != "rerank"]
    tables = []
    for bench in benches(groups):
        measured = [group for each in groups if (group := each.on(bench))]
        all_tables = [_table(key, bench, measured) for key in TITLES if key not in ("rerank", "other")]
        shown = {id(run) for table in all_tables for group in table.groups for run in group.runs}
        others = [group for group in measured if id(group.first) not in shown]
        all_tables.append(
            Table("other", bench, "", False, [Row(_cells(group), _unpublished(), group) for group in others])
        )
        tables += [table for table in all_tables if table.key in keys and table.groups]
    return tables


def models(key: str) -> list[Model]:
    """Return the models of a published table, in its order."""
    table = published_table(f"table{key}")
    rows = [(row["name"], row) for row in table] if isinstance(table, list) else table.items()
    return [_model(name, row) for name, row in rows]


def _model(name: str, row: dict) -> Model:
    setting = {"setting": f"{row['setting']} ({row['strategy']})"} if "setting" in row else {}
    published = {column: row[column] for column in DATA_SETS if row.get(column)}
    return Model(
        name,
        row.get("codes"),
        row.get("fragments"),
        published,
        {**setting, **_size(name, row.get("codes"), row.get("fragments"))},
    )


def _table(key: str, bench: Bench, groups: list[Group]) -> Table:
    rows = list(_existing_methods(groups)) if key == "5" else [(model, model.runs(groups)) for model in models(key)]
    columns = {column for model, _ in rows for column in model.published}
    column = "flickr30k" if bench.data == "flickr30k" and "flickr30k" in columns else "coco1k"
    if bench.paper in columns:
        column = bench.paper
    table = Table(key, bench, column, bench.paper == column, [])
    for model, found in rows:
        published = {side: (model.published.get(column) or {}).get(side) for side in SIDES}
        same_method = key != "5" or model.codes is not None
        for group in found:
            table.rows.append(Row({**model.cells, "model": label(group)}, published, group, same_method))
        if not found and table.comparable and any(published.values()):
            table.rows.append(Row(model.cells, published, None, same_method))
        elif not found and not table.comparable and same_method:
            table.not_run.append(model.name)
    table.not_run = list(dict.fromkeys(table.not_run))
    return table


def _existing_methods(groups: list[Group]) -> Iterator[tuple[Model, list[Group]]]:
    """Yield Table 5, a published method beside our runs of its name or score; then B and C, which were trained alike
    but for the score."""
    own = {model.name: model for model in models("2")}
    for name, row in published_table("table5").items():
        cells = {"method": name, "pre-trained": "yes" if row["pretrained"] else "", "model": ""}
        if name in own:
            yield own[name]._replace(cells={**cells, "model": name}), own[name].runs(groups)
        else:
            found = [group for group in groups if name in (group.first.name, _METHODS.get(group.first.scoring))]
            yield Model(name, None, None, {column: row[column] for column in DATA_SETS}, cells), found
    cross = next(model for model in models("8") if model.name == "C")
    for model in (own["B"], cross):
        yield model._replace(cells={"method": model.name, "pre-trained": "", "model": model.name}), model.runs(groups)


def label(group: Group) -> str:
    """Return a group's name, and what sets it apart from the first of that name."""
    return f"{group.first.name}, {group.note}" if group.note else group.first.name


def _cells(group: Group) -> dict[str, str]:
    run = group.first
    return {
        **_size(run.name, run.codes, run.fragments),
        "model": label(group),
        "scoring": run.scoring.replace("_", " "),
    }


def _size(name: str, codes: int | None, fragments: int | None) -> dict[str, str]:
    interactions = f"{fragments} x {fragments}" if fragments and name != "C" else "pairs"
    return {"model": name, "codes": str(codes or 0), "interactions": interactions}


def _unpublished() -> dict[str, None]:
    return {side: None for side in SIDES}
