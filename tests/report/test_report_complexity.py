"""The points of Figures 1 and 3."""

import pytest
from report_results import result

from inflate_shrink.model.multiply_adds import interactions, transformer
from inflate_shrink.report.collect import collect
from inflate_shrink.report.complexity import (
    UNICODER_VL,
    measured_costs,
    measured_interactions,
    published_costs,
    published_interactions,
    scoring_cost,
)
from inflate_shrink.report.runs import Bench

FIRST1K = Bench("coco", "test", "first1k", 1000, 5000)


def points(series):
    return [(point.x, point.y, point.label) for point in series]


def test_costs_by_hand():
    assert (interactions(1, 768), interactions(32, 768)) == (768, 786_432)
    # a layer of width 2 and ffn 3 over 5 positions: projections 4 * 4, feed-forward 2 * 6, each position; products 2 * 25 * 2
    assert transformer(hidden=2, layers=1, ffn=3, length=5) == (16 + 12) * 5 + 100
    assert transformer(hidden=2, layers=4, ffn=3, length=5) == 4 * 240
    assert transformer(**UNICODER_VL) == pytest.approx(1.153e10, rel=1e-3)


@pytest.mark.parametrize(
    "values, cost",
    [
        (result("F", fragments=1), 768),
        (result("VisualSparta", scoring="visual_sparta"), 32 * 32 * 768),
        (result("SCAN-t2i", scoring="scan_t2i"), 32 * 32 * (768 + 32)),
        (result("C", scoring="cross", fragments=None), transformer(64, 768, 3, 3072)),
    ],
)
def test_cost_of_a_run(runs, values, cost):
    assert scoring_cost(collect(runs(values)).groups[0].first) == cost


def test_figure_1_as_published():
    series = published_costs()
    assert points(series["VisualSparta"]) == [(786_432, 68.2, "VisualSparta")]
    assert [(y, label) for _, y, label in points(series["cross-BERT"])] == [(69.7, "Unicoder-VL"), (65.2, "12-in-1")]
    assert (768, 68.5, "I-B-F") in points(series["Inflate and Shrink"])


def test_figure_1_of_runs(runs):
    """The first of two configs of one name; deviations over seeds."""
    seeds = [result("I-B", seed, t2i=t2i) for seed, t2i in ((0, 60.0), (1, 63.0), (2, 61.5))]
    others = [
        result("SCAN-t2i", scoring="scan_t2i", t2i=50.0),
        result("I-B", recipe="paper"),
        result("k0l8", fragments=8),
    ]
    series = measured_costs(collect(runs(*seeds, *others)).groups, FIRST1K)
    assert series == {
        "Inflate and Shrink": [(786_432, 61.5, 1.5, "I-B")],
        "SCAN": [(32 * 32 * 800, 50.0, 0.0, "SCAN-t2i")],
    }


def test_figure_3_as_published():
    series = published_interactions()
    assert [x for x, _, _ in points(series["without"])] == [1, 4, 16, 64, 256, 1024]
    assert [x for x, _, _ in points(series["only inflating"])] == [48**2, 64**2, 96**2, 128**2]
    assert [y for _, y, _ in points(series["only shrinking"])] == [66.0, 66.5, 66.8, 67.4, 67.7, 68.3]
    # the best of Tables 2 and 9 at each number of interactions
    assert points(series["both"]) == [
        (1, 68.5, "I-B-F"),
        (64, 69.3, ""),
        (256, 69.7, ""),
        (1024, 70.5, "I-B"),
        (2304, 70.4, ""),
    ]


def test_figure_3_of_runs(runs):
    found = [
        result(name, fragments=l, t2i=t2i)
        for name, l, t2i in (("I-B-F", 1, 40.0), ("I-F", 1, 41.0), ("B-k0l8", 8, 45.0), ("B", 32, 50.0))
    ]
    series = measured_interactions(collect(runs(*found)).groups, FIRST1K)
    assert {name: points(each) for name, each in series.items()} == {
        "without": [(1024, 50.0, "B")],
        "only shrinking": [(64, 45.0, "")],
        "both": [(1, 41.0, "I-F")],
    }
