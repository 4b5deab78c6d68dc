"""Markdown, CSV and JSON of a report, line by line."""

import csv
import io
import json

import pytest
from report_results import evaluation, result

from inflate_shrink.report.build import write_report


@pytest.fixture
def report(runs, tmp_path):
    """A function: results -> the text of OUT/DATA.FORMAT."""

    def write(*results, data="coco", form="md", tables=("2",)):
        write_report(runs(*results), tmp_path / "out", [data], tables, (), [form])
        return (tmp_path / "out" / f"{data}.{form}").read_text(encoding="utf-8")

    return write


def test_note_under_the_title(runs, tmp_path):
    write_report(runs(result()), tmp_path / "out", formats=["md"], figures=(), note="Made so.")
    assert (tmp_path / "out" / "coco.md").read_text().startswith("# coco: results\n\nMade so.\n\n")


def test_published_ours_difference(report):
    text = report(result(t2i=68.04), result(seed=1, t2i=68.1), result("I-F", fragments=1, t2i=70.0))
    # No -0.0.
    assert (
        "| B | 0 | 32 x 32 | 68.1/91.9/96.4 | 68.1/80.0/90.0 ± 0.0/0.0/0.0 | +0.0/-11.9/-6.4 | 82.0/97.6/99.2 | 70.0/"
        in text
    )
    assert "| I-F | 0 | 1 x 1 | 67.7/92.3/96.8 | 70.0/80.0/90.0 | +2.3/-12.3/-6.8 |" in text
    assert "| F | 0 | 1 x 1 | 56.1/85.9/91.8 |  |  | 69.4/92.7/97.1 |  |  |  |" in text
    assert "## Split test, protocol first1k: 1,000 images, the first of the split, as in the paper" in text
    assert (
        "Split test, protocol first1k: 1,000 images, 5,000 captions; seeds 0, 1; A CPU, 2 cores; Paddle 3.3.1; 2026-11-21."
        in text
    )


def test_other_data_never_share_a_column_with_the_paper(report):
    text = report(result(data="demo", t2i=12.3), data="demo")
    assert (
        "| model | codes | interactions | t2i R@1/5/10 | i2t R@1/5/10 | rsum | paper, MSCOCO1K: t2i | paper, MSCOCO1K: i2t |"
        in text
    )
    assert "| B | 0 | 32 x 32 | 12.3/80.0/90.0 | 70.0/80.0/90.0 | 422.3 | 68.1/91.9/96.4 | 82.0/97.6/99.2 |" in text
    assert "difference" not in text and "compare what changes from row to row" in text
    assert "Not run here: F, B-F, I, I-F, I-B, I-B-F." in text


def test_other_methods_have_no_difference(report):
    text = report(result("SCAN-t2i", scoring="scan_t2i"), tables=("5", "8"))
    assert "| SCAN |  | SCAN-t2i | 58.8/88.4/94.8 | 60.0/80.0/90.0 |  | 72.7/94.8/98.4 | 70.0/80.0/90.0 |  |" in text
    assert "No difference is taken from other methods" in text and "Tables without a run: 8." in text


def test_reranking(report):
    """Two models together: a result without evaluations, which is no run of its retriever."""
    rerank = [{**evaluation(t2i), "n": n, "ms_per_query": ms} for n, t2i, ms in ((20, 64.0, 9.5), (0, 60.0, 1.5))]
    together = result(
        "B+C", scoring="rerank", directory="runs/coco/B", evaluations={}, rerank=rerank, images=500, captions=2500
    )
    del together["regions"], together["train_images"]
    students = [
        result("B-F", seed, fragments=1, teacher=teacher)
        for seed, teacher in enumerate(("runs/coco/B", "runs/coco/B-1"))
    ]
    text = report(result(), result("B", 1, directory="runs/coco/B-1"), *students, together, tables=("2", "rerank"))
    assert text.index("| B+C | 0 | 60.0/80.0/90.0 | 70.0/80.0/90.0 | 1.50 |") < text.index(
        "| B+C | 20 | 64.0/80.0/90.0 |"
    )
    assert (
        "Split test, 500 images; seed 0; A CPU, 2 cores" in text
        and "joint-reranked 76.4/93.6/96.2 on Flickr30K" in text
    )
    # Its teachers are two seeds of B.
    assert "| B-F | 0 | 1 x 1 | 66.0/91.7/96.1 | 60.0/80.0/90.0 ± 0.0/0.0/0.0 |" in text


def test_reranking_alone(runs, tmp_path):
    rerank = [{**evaluation(), "n": 0, "ms_per_query": 1.0}]
    lines = write_report(runs(result("F+C", scoring="rerank", evaluations={}, rerank=rerank)), tmp_path / "out")
    assert lines == [f"{tmp_path}/out/coco.{form}: 1 tables of 1 models" for form in ("md", "csv", "json")]


def test_text_of_users_breaks_no_table(report):
    assert "| a\\|b | 0 | 32 x 32 |" in report(result("a|b"), tables=("other",))


def test_csv(report):
    folds = result("I", codes=32, fragments=64, evaluations={"fold5": evaluation(images=5000)})
    text = report(result(t2i=60.125), result(seed=1, t2i=60.125), folds, form="csv")
    lines = list(csv.DictReader(io.StringIO(text)))
    (b,) = [
        line
        for line in lines
        if (line["row"], line["direction"], line["metric"], line["protocol"]) == ("B", "t2i", "r1", "first1k")
    ]
    assert (b["published"], b["ours"], b["deviation"], b["seeds"]) == ("68.1", "60.125", "0.0", "0 1")
    assert float(b["difference"]) == pytest.approx(60.125 - 68.1)
    (f,) = [
        line
        for line in lines
        if (line["row"], line["direction"], line["metric"], line["protocol"]) == ("F", "i2t", "r10", "first1k")
    ]
    assert (f["published"], f["ours"], f["difference"], f["seeds"]) == ("97.1", "", "", "")
    assert {(line["published"], line["difference"]) for line in lines if line["protocol"] == "fold5"} == {("", "")}


def test_json_is_unrounded(report):
    values = json.loads(report(result(t2i=60.123456), result(seed=1, t2i=60.123456), form="json"))
    (table,) = values["tables"]
    assert table["comparable"] and table["bench"]["protocol"] == "first1k"
    assert table["rows"][0]["ours"]["t2i"]["mean"][0] == 60.123456 and table["rows"][0]["published"]["t2i"][0] == 68.1
    assert [run["seed"] for run in values["groups"][0]["runs"]] == [0, 1] and values["groups"][0]["runs"][0][
        "training"
    ]["steps"] == 2
