"""Plans of pipelines: order, directories that stand for content, and what is refused before anything runs."""

import re
from pathlib import Path

import pytest
import yaml

from inflate_shrink.errors import InputError
from inflate_shrink.pipeline import cost
from inflate_shrink.pipeline.cost import SIZES, describe_plan, multiply_adds
from inflate_shrink.pipeline.plan import data_file, plan, read_pipeline
from inflate_shrink.published import published_table

ROOT = Path(__file__).resolve().parents[2]
ROWS = {
    "B": {"model": {"fragments": 8}},
    "I": {"model": {"codes": 4}},
    "I-B": {"model": {"fragments": 8}, "distill": {"teacher": "runs/x/I"}},
    "I-B-F": {"model": {"fragments": 1, "init": "runs/x/B"}, "distill": {"teacher": "runs/x/I-B"}},
}


@pytest.fixture
def folder(tmp_path, tiny_data):
    """A function: changed rows -> a folder with a base.yaml and a file a row."""

    def make(**changed):
        directory = tmp_path / "rows"
        directory.mkdir(exist_ok=True)
        base = {
            "data": {"name": "tiny", "dir": str(tiny_data)},
            "model": {"hidden": 16, "layers": 1, "heads": 2, "ffn": 16},
            "optim": {"epochs": 1, "batch_size": 8, "lr": 2e-3},
        }
        (directory / "base.yaml").write_text(yaml.safe_dump(base))
        for name, row in {**ROWS, **changed}.items():
            values = {"_base_": "base.yaml", "name": name, "run": {"dir": f"runs/x/{name}"}, **row}
            (directory / f"{name}.yaml").write_text(yaml.safe_dump(values))
        return directory

    return make


@pytest.fixture
def pipeline(tmp_path, folder):
    """A function: steps and changed rows -> a pipeline file."""

    def make(steps, name="pipeline.yaml", changed={}, **keys):
        (tmp_path / name).write_text(yaml.safe_dump({"data": str(folder(**changed)), "steps": steps, **keys}))
        return read_pipeline(tmp_path / name)

    return make


def names(steps):
    return [step.name for step in steps]


def test_steps_come_after_those_they_need(pipeline):
    steps = plan(pipeline(["I-B-F", "I-B", "B", "I"]), "runs")
    assert names(steps) == ["I", "I-B", "B", "I-B-F"]
    last = steps[-1]
    assert last.needs == [steps[1].directory, steps[2].directory]
    assert (last.tool, steps[0].tool) == ("distill", "train")
    assert (last.config.distill.teacher, last.config.model.init) == (str(steps[1].directory), str(steps[2].directory))
    assert last.config.run.dir == str(last.directory) and last.directory.parent == Path("runs/steps")
    assert last.link == Path("runs/tiny/I-B-F")


def test_a_start_is_added(pipeline):
    assert names(plan(pipeline(["I", "I-B", "I-B-F"]), "runs")) == ["I", "I-B", "B", "I-B-F"]


def test_a_directory_stands_for_all_that_decides_the_weights(pipeline, own_data):
    def directories(*overrides, changed={}, steps=("I", "I-B")):
        return [step.directory.name for step in plan(pipeline(list(steps), changed=changed), "runs", overrides)]

    first = directories()
    assert directories("run.log_steps=7", "distill.cache_gb=4") == first
    # They choose the best epoch.
    assert len({*first, *directories("run.eval_epochs=2"), *directories("run.val_images=4")}) == 6
    # It rounds the targets of students.
    assert [one == other for one, other in zip(directories("distill.cache_gb=0"), first)] == [
        True,
        False,
    ]
    # Its students have no codes that could be the teacher's.
    assert directories("distill.share_codes=false") == first
    # Another pipeline, the same steps.
    assert directories(steps=("I-B", "B", "I")) == [
        *first,
        directories(steps=["B"])[0],
    ]
    longer, other_teacher, other_data = (
        directories("optim.epochs=2"),
        directories(changed={"I": {"model": {"codes": 5}}}),
        directories(f"data.dir={own_data}"),
    )
    assert other_data == first  # a copy of the same data
    for changed in (longer, other_teacher):
        assert changed[0] != first[0] and changed[1] != first[1]
    captions = (own_data / "captions.tsv").read_text()
    (own_data / "files.json").unlink()
    (own_data / "captions.tsv").write_text(captions.replace(" red ", " blue "))
    assert directories(f"data.dir={own_data}")[0] != first[0]


def test_another_number_of_threads_is_another_run(pipeline):
    one, two = (plan(pipeline(["I", "I-B"]), "runs", threads=threads) for threads in (1, 2))
    assert [step.threads for step in one + two] == [1, 1, 2, 2]
    assert len({step.directory for step in one + two}) == 4


def test_seeds(pipeline):
    steps = plan(pipeline(["I", "I-B"]), "runs", seeds=[0, 3])
    assert [step.label for step in steps] == ["I", "I-B", "I, seed 3", "I-B, seed 3"]
    assert steps[3].needs == [steps[2].directory] and steps[3].link == Path("runs/tiny/I-B-seed3")
    assert len({step.directory for step in steps}) == 4


def test_included_pipelines_come_first_and_steps_once(pipeline, tmp_path):
    pipeline(["I", "B"], name="a.yaml")
    whole = pipeline(["B", "I-B"], include=["a.yaml"])
    assert whole.steps == ["I", "B", "I-B"]


def test_reranking(pipeline):
    changed = {"C": {"model": {"scoring": "cross", "init": "runs/x/B"}}, "joint": {"model": {"joint": True}}}
    steps = plan(pipeline(["B", "C", "joint"], changed=changed, rerank=[["B", "C"], ["joint", "joint"]]), "runs")
    assert names(steps) == ["B", "C", "joint", "B+C", "joint+joint"]
    assert steps[3].needs == [steps[0].directory, steps[1].directory] and steps[4].needs == [steps[2].directory]
    for pair, message in (
        (["C", "B"], "expected a bi-encoder, then a cross-BERT"),
        (["B", "F"], "F is no step of the pipeline"),
    ):
        with pytest.raises(InputError, match=message):
            plan(pipeline(["B", "C"], changed=changed, rerank=[pair]), "runs")


@pytest.mark.parametrize(
    "steps, changed, message",
    [
        (
            ["I-B"],
            {},
            "step I-B: its distill.teacher runs/x/I is no step of the pipeline and no checkpoint; add the step that makes it",
        ),
        (
            ["B"],
            {"B": {"model": {"init": "runs/x/missing"}}},
            "step B: its model.init runs/x/missing is no step of the pipeline",
        ),
        (["I", "I-B"], {"I": {"distill": {"teacher": "runs/x/I-B"}}}, r"step I: needs itself \(I -> I-B -> I\)"),
        (["I", "I-B"], {"I": {"model": {"fragments": 4}}}, "step I-B: scores 8 fragments, its teacher I only 4"),
        (
            ["I", "I-B"],
            {"I": {"model": {"hidden": 32}}},
            "step I-B: model.hidden is 16, but 32 in I whose weights it takes",
        ),
        (
            ["B", "I"],
            {"I": {"run": {"dir": "runs/x/B"}}},
            "its run.dir runs/x/B is that of step I too|that of step B too",
        ),
        (["missing"], {}, "base.yaml: no such row 'missing'"),
        (["B"], {"B": {"model": {"fragment": 1}}}, "unknown key 'model.fragment'"),
        (["B"], {"B": {"data": {"dir": "nowhere"}}}, "nowhere: no such data set directory"),
    ],
)
def test_refused_with_the_name_of_the_step(pipeline, steps, changed, message):
    with pytest.raises(InputError, match=message):
        plan(pipeline(steps, changed=changed), "runs")


def test_a_student_of_scores_alone_may_have_other_sizes(pipeline):
    changed = {
        "I": {"model": {"codes": 4, "hidden": 32}},
        "I-B": {**ROWS["I-B"], "distill": {"teacher": "runs/x/I", "share_inputs": False}},
    }
    assert names(plan(pipeline(["I", "I-B"], changed=changed), "runs")) == ["I", "I-B"]


def test_codes_are_the_teachers_or_the_students_own(pipeline):
    changed = {"B": {**ROWS["B"], "model": {"codes": 5, "fragments": 8}, "distill": {"teacher": "runs/x/I"}}}
    with pytest.raises(InputError, match="step B: model.codes is 5, but I whose codes it takes has 4"):
        plan(pipeline(["I", "B"], changed=changed), "runs")
    assert names(plan(pipeline(["I", "B"], changed=changed), "runs", ["distill.share_codes=false"])) == ["I", "B"]


@pytest.mark.parametrize(
    "text, message",
    [
        ("steps: [B]\nstep: [B]", "unknown key 'step'; the keys of a pipeline are data, steps"),
        ("steps: B", "'steps' must be a list of names, found 'B'"),
        ("steps: [B]\nrerank: [[B]]", "'rerank' must be a list of pairs"),
        ("data: coco", "has no steps"),
        ("[B", "not valid YAML at line 1"),
        ("include: [bad.yaml]", "include leads back to this pipeline"),
        ('steps: ["a\\0b"]', "'steps' must be a list of names"),
        ("pipelines: {a: {steps: [B]}, b: {steps: [F]}}", "holds several pipelines; give .*bad.yaml:NAME, one of a, b"),
        ("pipelines: [a]", "'pipelines' must be names and their pipelines"),
    ],
)
def test_pipeline_files_that_are_refused(tmp_path, text, message):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(InputError, match=f"bad.yaml: {message}"):
        read_pipeline(tmp_path / "bad.yaml")


def test_the_plan_as_a_table(pipeline, tmp_path):
    table = describe_plan(plan(pipeline(["B", "I", "I-B"]), tmp_path / "runs"), 2).splitlines()
    assert [line.split()[:4] for line in table[1:4]] == [
        ["B", "0", "8", "120"],
        ["I", "4", "36", "120"],
        ["I-B", "0", "8", "120"],
    ]
    assert (
        table[3].endswith("to run: distil from I")
        and table[4].startswith("left: about ")
        and table[5].startswith("on a V100, one after the other: about ")
    )
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_plan_for_data_that_is_not_there(pipeline, tmp_path):
    absent = [f"data.dir={tmp_path}/none", "data.name=coco", "amp.level=O1"]
    with pytest.raises(InputError, match="none: no such data set"):
        plan(pipeline(["I", "I-B"]), tmp_path / "runs", absent)
    steps = plan(pipeline(["I", "I-B"]), tmp_path / "runs", absent, dry=True)
    table = describe_plan(steps, 1).splitlines()
    assert table[0] == f"{tmp_path}/none: not there, reckoned with coco's 113287 images"
    assert table[2].split()[:4] == ["I", "4", "36", str(5 * 113_287)]
    done = sum(multiply_adds(step, SIZES["coco"], steps[0].config if step.name == "I-B" else None) for step in steps)
    assert table[-1].startswith(f"on a V100, one after the other: about {done / (0.25 * 62.5e12) / 60:.1f} min")
    assert describe_plan(plan(pipeline(["B"]), "runs", [absent[0]], dry=True), 1).startswith(
        f"{tmp_path}/none: not there, reckoned with flickr30k's 29000 images"
    )
    assert not (tmp_path / "none").exists() and not (tmp_path / "runs").exists()


def test_a_pipeline_among_several(tmp_path):
    file = tmp_path / "several.yaml"
    (tmp_path / "other.yaml").write_text("steps: [C]")
    pipelines = (
        "{a: {steps: [F]}, b: {include: [a, other.yaml], steps: [B]}, c: {include: [b], data: own}, d: {include: [d]}}"
    )
    file.write_text(f"data: coco\npipelines: {pipelines}")
    assert read_pipeline(f"{file}:b") == ("coco", ["F", "C", "B"], [])
    assert read_pipeline(f"{file}:c") == ("own", ["F", "C", "B"], [])
    for name, message in (
        ("bb", "no pipeline 'bb' in it; give .*several.yaml:b"),
        ("d", "several.yaml:d: include leads back"),
    ):
        with pytest.raises(InputError, match=message):
            read_pipeline(f"{file}:{name}")


@pytest.mark.slow
@pytest.mark.parametrize("data", ["coco", "flickr30k", "flickr8k", "demo"])
def test_every_row_of_the_shipped_pipelines(data, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    pipeline = read_pipeline("configs/pipelines.yaml:all")
    assert pipeline.data == "coco" and len(pipeline.steps) == 44
    steps = plan(pipeline._replace(data=data), tmp_path, [f"data.dir={tmp_path}/none"], dry=True)
    assert sorted(names(steps)) == sorted([*pipeline.steps, *map("+".join, pipeline.rerank)])


def test_a_table_is_a_pipeline():
    def steps(name):
        return read_pipeline(ROOT / "configs" / f"pipelines.yaml:{name}").steps

    for table in ("table1", "table2", "table6", "table7", "table8"):
        assert steps(table) == list(published_table(table))
    for setting in range(10):
        assert steps(f"table9-{setting}") == [
            row["name"] for row in published_table("table9") if row["setting"] == setting
        ]


def test_data_that_is_not_there(monkeypatch):
    monkeypatch.chdir(ROOT)
    for name in ("nowhere", "no\0where", "a" * 5000):
        with pytest.raises(InputError, match="no such data set; configs has coco, demo, flickr30k, flickr8k, own"):
            data_file(name)


@pytest.mark.parametrize("name", ["table9-4", "table2"])
def test_the_hours_that_the_page_of_the_papers_data_prints(name, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(cost, "_probe", lambda: 1e9)  # this machine's speed, which is not in those of a V100
    page = (ROOT / "docs" / "flickr30k_coco.md").read_text(encoding="utf-8")
    hours = []
    for data in ("flickr30k", "coco"):
        pipeline = read_pipeline(ROOT / f"configs/pipelines.yaml:{name}")._replace(data=data)
        table = describe_plan(plan(pipeline, tmp_path, [f"data.dir={tmp_path}/none"], dry=True), 1)
        hours.append(re.search(r"on a V100, one after the other: about ([\d.]+) h", table)[1])
    assert re.search(rf"^\| `{name}`: .* \| {hours[0]} \| {hours[1]} \|$", page, re.MULTILINE)
