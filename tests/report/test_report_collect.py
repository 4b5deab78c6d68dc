"""Which runs are found, and which of them are seeds of one model."""

import json

import pytest
from report_results import evaluation, result, side

from inflate_shrink.errors import InputError
from inflate_shrink.report.collect import collect
from inflate_shrink.report.runs import Bench

FIRST1K = Bench("coco", "test", "first1k", 1000, 5000)


def summary(collection):
    """Name, seeds and note of each group."""
    return [(group.first.name, group.seeds, group.note) for group in collection.groups]


def test_seeds_are_averaged(runs):
    (group,) = collect(runs(result(seed=2, t2i=60.0), result(seed=0, t2i=63.0), result(seed=1, t2i=61.5))).groups
    assert group.seeds == [0, 1, 2]
    assert group.recalls(FIRST1K, "t2i") == ((61.5, 80.0, 90.0), (1.5, 0.0, 0.0))
    assert collect(runs(alone=result("F", fragments=1))).groups[1].recalls(FIRST1K, "t2i").deviation is None


def test_seed_without_the_evaluation_is_no_part_of_it(runs):
    both = {"first1k": evaluation(60.0), "fold5": evaluation(50.0, images=5000, captions=25000)}
    (group,) = collect(runs(result(evaluations=both), result(seed=1, t2i=62.0))).groups
    assert group.on(FIRST1K).seeds == [0, 1]
    fold5 = group.on(Bench("coco", "test", "fold5", 5000, 25000))
    assert fold5.seeds == [0] and fold5.recalls(Bench("coco", "test", "fold5", 5000, 25000), "t2i").mean[0] == 50.0
    assert group.on(FIRST1K._replace(images=999)) is None


@pytest.mark.parametrize(
    "change, note",
    [
        ({"lr": 2e-4}, "optim.lr 0.0002"),
        ({"recipe": "paper"}, "recipe paper"),
        ({"train_images": 50}, "train_images 50"),
        ({"teacher": "runs/coco/C"}, "distill.teacher runs/coco/C"),
        ({"split": "val"}, "split val"),
    ],
)
def test_other_settings_are_another_row(runs, change, note):
    assert summary(collect(runs(result(), result(seed=1, **change)))) == [("B", [0], ""), ("B", [1], note)]


def test_what_is_measured_of_a_model_is_no_setting(runs):
    other = result(seed=1)
    other["config"]["data"]["protocols"] = ["full", "fold5"]
    other["config"]["run"]["test_images"] = 1000
    assert summary(collect(runs(result(), other))) == [("B", [0, 1], "")]


def test_where_a_run_lies_is_no_setting(runs):
    moved = result(seed=1, directory="elsewhere/B")
    moved["config"]["data"]["dir"] = "elsewhere"
    moved["config"]["run"]["log_steps"] = 7
    assert summary(collect(runs(result(), moved))) == [("B", [0, 1], "")]


def test_teacher_counts_by_its_settings(runs):
    """Each seed may have a teacher of its own, but not one of another config."""
    teachers = [result("I", seed, codes=32, fragments=64, directory=f"runs/I-{seed}") for seed in (0, 1)]
    other = result("I", 0, codes=32, fragments=64, directory="runs/I-2", lr=2e-4)
    sources = enumerate(("runs/I-0", "./runs/I-1/best", "runs/I-2"))
    students = [result("I-B", seed, directory=f"runs/I-B-{seed}", teacher=teacher) for seed, teacher in sources]
    found = summary(collect(runs(*teachers, other, *students)))
    assert found[2:] == [("I-B", [0, 1], ""), ("I-B", [2], "distill.teacher runs/I-2")]


def test_circle_of_teachers_ends(runs):
    assert (
        len(
            collect(
                runs(
                    result("I", teacher="runs/coco/B"),
                    result("B", teacher="runs/coco/I"),
                    result("F", teacher="runs/coco/F"),
                )
            ).groups
        )
        == 3
    )


def test_later_of_two_runs_of_a_seed_counts(runs):
    old, new = result(t2i=50.0), result(t2i=60.0)
    old["training"]["date"] = "2026-11-20"
    root = runs(new=new, old=old)
    collection = collect(root)
    assert [group.recalls(FIRST1K, "t2i").mean[0] for group in collection.groups] == [60.0]
    assert collection.left_out == [
        f"{root}/old/result.json: same config and seed as {root}/new/result.json, which counts"
    ]


def test_links_lead_to_a_run_once(runs):
    root = runs(a=result(), z=result(seed=1))
    (root / "linked").symlink_to(root / "a")
    (root / "a" / "circle").symlink_to(root)
    outside = root.parent / "outside"
    (root / "z").rename(outside)
    (root / "z").symlink_to(outside)
    assert summary(collect(root)) == [("B", [0, 1], "")] and not collect(root).left_out


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda values: "{", "cannot be read as JSON"),
        (lambda values: [], "expected the values of a run"),
        (lambda values: {**values, "name": None}, "'name' is missing"),
        (lambda values: {**values, "seed": True}, "'seed' is missing"),
        (lambda values: {**values, "data": "../coco"}, "'data' must be a name"),
        (lambda values: {**values, "fragments": None}, "'fragments' must be a number"),
        (lambda values: {**values, "scoring": "dot"}, "'scoring' must be one of late_interaction"),
        (lambda values: {**values, "evaluations": {}}, "'evaluations' is empty"),
        (
            lambda values: {**values, "evaluations": {"full": {"images": 1, "captions": 1}}},
            "'evaluations.full' must hold",
        ),
        (
            lambda values: {**values, "evaluations": {"full": evaluation(float("nan"))}},
            "'evaluations.full.t2i.r1' must be a number",
        ),
        (lambda values: {**values, "rerank": [{**evaluation(), "n": 1}]}, "'rerank.0.ms_per_query' must be a number"),
        (lambda values: {**values, "config": {}}, "'config.run' is missing"),
    ],
)
def test_damaged_file_is_a_line(runs, damage, message):
    root = runs(good=result(), bad=damage(result()))
    if damage(result()) == "{":
        (root / "bad" / "result.json").write_text("{")
    collection = collect(root)
    assert summary(collection) == [("B", [0], "")]
    (line,) = collection.left_out
    assert line.startswith(f"{root}/bad/result.json: {message}") and "\n" not in line


def test_nothing_to_report_on(runs, tmp_path):
    with pytest.raises(InputError, match="no such directory of runs"):
        collect(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no result.json of a finished run"):
        collect(tmp_path / "empty")
    with pytest.raises(InputError, match="not read: .*bad/result.json: 'name' is missing"):
        collect(runs(bad={"data": "coco"}))


def test_fields_that_may_be_absent(runs):
    values = {
        key: value
        for key, value in json.loads(json.dumps(result(data=""))).items()
        if key not in ("latency", "rerank", "train_images")
    }
    collection = collect(runs(values))
    assert collection.data_sets == ["unnamed"] and collection.groups[0].first.rerank is None


def test_reranker_counts_by_its_settings(runs):
    crosses = [result("C", directory=f"runs/C-{lr}", scoring="cross", lr=lr) for lr in (1e-4, 2e-4)]
    row = {"n": 20, "t2i": side(50.0), "i2t": side(60.0), "rsum": 0.0, "ms_per_query": 1.0}
    pairs = [
        result(
            "B+C",
            directory="runs/B",
            scoring="rerank",
            rerank=[row],
            reranker=f"runs/C-{lr}",
            evaluations={},
            images=9,
            captions=9,
        )
        for lr in (1e-4, 2e-4)
    ]
    assert len([group for group in collect(runs(*crosses, *pairs)).groups if group.first.name == "B+C"]) == 2
