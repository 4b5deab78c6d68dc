"""What a candidate costs, and the points of Figures 1 and 3."""

from __future__ import annotations

from typing import Iterable, NamedTuple

from ..model.multiply_adds import interactions, transformer
from ..published import published_table
from .collect import Group
from .runs import Bench, Run
from .tables import Model, models

UNICODER_VL = {"hidden": 768, "layers": 12, "ffn": 3072, "length": 132}  # 100 regions and 32 words, sizes of BERT-base
_CROSS = ("Unicoder-VL", "12-in-1")  # published cross-BERTs of Figure 1, both counted as UNICODER_VL
_SERIES = {
    "late_interaction": "Inflate and Shrink",
    "visual_sparta": "VisualSparta",
    "scan_t2i": "SCAN",
    "scan_i2t": "SCAN",
    "cross": "cross-BERT",
}
FIGURE_1 = tuple(dict.fromkeys(_SERIES.values()))
FIGURE_3 = ("without", "only inflating", "only shrinking", "both")


class Point(NamedTuple):
    """One model in Figure 1 or 3."""

    x: float  # multiply-adds (Figure 1) or interactions (Figure 3)
    y: float  # t2i R@1 in percent
    deviation: float  # over seeds; 0 for one seed and for published recalls
    label: str  # empty: none


Series = dict  # name -> list of Point, in the order of x


def scan_cost(fragments: int, hidden: int) -> int:
    """Count multiply-adds as :func:`.interactions`, and those of the norms of what each fragment attended to."""
    return fragments * fragments * (hidden + fragments)


def scoring_cost(run: Run) -> int:
    """Count the multiply-adds to score one more image, where text and image are encoded already unless pairs are
    encoded."""
    if run.scoring == "cross":
        return transformer(
            run.text_length + run.regions, run.hidden, run.layers, run.config["model"].get("ffn", 4 * run.hidden)
        )
    cost = scan_cost if run.scoring.startswith("scan") else interactions
    return cost(run.fragments, run.hidden)


def published_costs() -> Series:
    """Return Figure 1 as published: Table 2's models, VisualSparta and the two cross-BERTs, MSCOCO1K."""
    existing = {
        name: row["coco1k"]["t2i"][0] for name, row in published_table("table5").items() if row["coco1k"]["t2i"]
    }
    return _ordered(
        {
            "Inflate and Shrink": [
                Point(interactions(model.fragments, 768), _published(model), 0.0, model.name) for model in models("2")
            ],
            "VisualSparta": [Point(interactions(32, 768), existing["VisualSparta"], 0.0, "VisualSparta")],
            "cross-BERT": [Point(transformer(**UNICODER_VL), existing[name], 0.0, name) for name in _CROSS],
        }
    )


def measured_costs(groups: list[Group], bench: Bench) -> Series:
    """Return Figure 1 of our runs: Table 2's models, and every model with another score."""
    found = [group for model in models("2") for group in _first(model, groups)]
    found += [group for group in groups if group.first.scoring != "late_interaction" and not group.note]
    series: Series = {}
    for group in found:
        series.setdefault(_SERIES[group.first.scoring], []).append(
            _measured(group, bench, scoring_cost(group.first), group.first.name)
        )
    return _ordered(series)


def published_interactions() -> Series:
    """Return Figure 3 as published."""
    points = {
        name: [_named(Point(model.fragments**2, _published(model), 0.0, model.name)) for model in rows]
        for name, rows in _figure_3_models().items()
    }
    return _ordered({**points, "both": _best(points["both"])})


def measured_interactions(groups: list[Group], bench: Bench) -> Series:
    """Return Figure 3 of our runs, by the same models."""
    points = {
        name: [
            _named(_measured(group, bench, group.first.fragments**2, model.name))
            for model in rows
            for group in _first(model, groups)
        ]
        for name, rows in _figure_3_models().items()
    }
    return _ordered({name: found for name, found in {**points, "both": _best(points["both"])}.items() if found})


def _figure_3_models() -> dict[str, list[Model]]:
    inflated = [model for model in models("1") if model.codes]
    both = [model for key in ("2", "9") for model in models(key) if model.name.startswith("I-")]
    return dict(zip(FIGURE_3, (models("6"), inflated, [model for model in models("7") if model.name != "B"], both)))


def _first(model: Model, groups: list[Group]) -> list[Group]:
    """Return the first of several configs of one model, as in the tables."""
    return model.runs(groups)[:1]


def _measured(group: Group, bench: Bench, x: float, label: str) -> Point:
    recalls = group.recalls(bench, "t2i")
    return Point(x, recalls.mean[0], recalls.deviation[0] if recalls.deviation else 0.0, label)


def _published(model: Model) -> float:
    return model.published["coco1k"]["t2i"][0]


def _named(point: Point) -> Point:
    """Keep the label of Table 2's models only: axis and series say the others."""
    return point if point.label in published_table("table2") else point._replace(label="")


def _best(points: Iterable[Point]) -> list[Point]:
    best: dict[float, Point] = {}
    for point in points:
        if point.x not in best or point.y > best[point.x].y:
            best[point.x] = point
    return list(best.values())


def _ordered(series: Series) -> Series:
    return {name: sorted(points, key=lambda point: (point.x, -point.y)) for name, points in series.items()}
