"""Which run stands in which row, and beside which published numbers."""

import pytest
from report_results import evaluation, result

from inflate_shrink.published import published_table
from inflate_shrink.report.collect import collect
from inflate_shrink.report.runs import Bench
from inflate_shrink.report.tables import TITLES, benches, build_tables


def tables_of(root, data="coco"):
    """(key, protocol) -> table."""
    return {(table.key, table.bench.protocol): table for table in build_tables(collect(root).of(data), TITLES)}


def rows(table):
    return [(row.cells["model"], row.group is not None) for row in table.rows]


@pytest.mark.parametrize(
    "bench, column",
    [
        (Bench("coco", "test", "first1k", 1000, 5000), "coco1k"),
        (Bench("coco", "val", "first1k", 1000, 5000), None),
        (Bench("coco", "test", "fold5", 5000, 25000), None),
        (Bench("coco", "test", "full", 1000, 5000), None),
        (Bench("coco", "test", "full", 5000, 25000), None),
        (Bench("flickr30k", "test", "full", 1000, 5000), "flickr30k"),
        (Bench("flickr30k", "test", "full", 999, 4995), None),
        (Bench("flickr8k", "test", "full", 1000, 5000), None),
        (Bench("demo", "test", "first1k", 1000, 5000), None),
    ],
)
def test_only_the_papers_images_and_protocol_are_compared(runs, bench, column):
    assert bench.paper == column
    measured = {bench.protocol: evaluation(images=bench.images, captions=bench.captions)}
    table = tables_of(runs(result(data=bench.data, split=bench.split, evaluations=measured)), bench.data)[
        "2", bench.protocol
    ]
    assert table.comparable == (column is not None)
    assert table.column == (column or ("flickr30k" if bench.data == "flickr30k" else "coco1k"))


def test_the_papers_bench_comes_first(runs):
    measured = {
        "fold5": evaluation(images=5000, captions=25000),
        "first1k": evaluation(),
        "full": evaluation(images=5000, captions=25000),
    }
    more = result("F", fragments=1, evaluations={"full": evaluation(images=5000, captions=25000)})
    assert [bench.protocol for bench in benches(collect(runs(result(evaluations=measured), more)).groups)] == [
        "first1k",
        "full",
        "fold5",
    ]


def test_rows_without_a_run(runs):
    """Shown with the published numbers where ours would be comparable, else named."""
    found = tables_of(
        runs(result(evaluations={"first1k": evaluation(), "fold5": evaluation(images=5000, captions=25000)}))
    )
    assert rows(found["2", "first1k"]) == [(name, name == "B") for name in published_table("table2")]
    assert found["2", "first1k"].not_run == []
    assert rows(found["2", "fold5"]) == [("B", True)]
    assert found["2", "fold5"].not_run == ["F", "B-F", "I", "I-F", "I-B", "I-B-F"]


def test_name_alone_makes_no_row(runs):
    """A B of another size or score is not the paper's B, but is shown."""
    found = tables_of(runs(result(fragments=16), result("I", codes=16, fragments=48), result("k0l16", fragments=16)))
    assert set(found) == {("6", "first1k"), ("other", "first1k")}
    assert rows(found["other", "first1k"]) == [("B", True), ("I", True)]
    assert ("k0l16", True) in rows(found["6", "first1k"])


def test_configs_of_one_name_are_rows_of_their_own(runs):
    found = tables_of(runs(result("I", codes=32, fragments=64), result("I", codes=32, fragments=64, recipe="paper")))
    assert [row for row in rows(found["1", "first1k"]) if row[1]] == [("I", True), ("I, recipe paper", True)]


def test_table_9_in_the_papers_order(runs):
    table = tables_of(runs(result("I", codes=32, fragments=64), result("I-B"), result("I-k32l32", codes=32)))[
        "9", "first1k"
    ]
    assert [row.cells["model"] for row in table.rows] == [row["name"] for row in published_table("table9")]
    assert {row.cells["setting"] for row in table.rows if row.cells["model"] == "I-B"} == {"4 (II)"}
    assert [row.cells["setting"] for row in table.rows if row.cells["model"] == "I-k32l32" and row.group] == [
        "2 (I)",
        "3 (I)",
    ]


def test_table_5_by_score(runs):
    others = [
        result("SCAN-t2i", scoring="scan_t2i"),
        result("SCAN-i2t", scoring="scan_i2t"),
        result("sparta", scoring="visual_sparta"),
    ]
    found = tables_of(
        runs(result("I-B"), result("C", scoring="cross", fragments=None), *others, result("VSE++", fragments=1))
    )["5", "first1k"]
    ours = {(row.cells["method"], row.cells["model"], row.same_method) for row in found.rows if row.group}
    assert ours == {
        ("SCAN", "SCAN-t2i", False), ("SCAN", "SCAN-i2t", False), ("VisualSparta", "sparta", False), ("VSE++", "VSE++", False),
        ("I-B", "I-B", True), ("C", "C", True),
    }  # fmt: skip
    # No MSCOCO1K.
    assert "OSCAR" in {row.cells["method"] for row in found.rows} and "UNITER" not in {
        row.cells["method"] for row in found.rows
    }


def test_tables_6_to_9_are_not_of_flickr30k(runs):
    found = tables_of(runs(result(data="flickr30k")), "flickr30k")
    assert found["2", "full"].comparable and found["2", "full"].column == "flickr30k"
    assert not found["6", "full"].comparable and found["6", "full"].column == "coco1k"


def test_tables_asked_for(runs):
    groups = collect(runs(result())).groups
    assert [table.key for table in build_tables(groups, ["2", "rerank"])] == ["2"]
