"""Rows by name, and the files that some of them have."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from inflate_shrink.config import differences, is_row, load_config
from inflate_shrink.errors import InputError
from inflate_shrink.published import published_table, row_names

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
DATA = ["demo", "flickr8k", "flickr30k", "coco", "own"]
STEPS = ["F", "B", "I", "B-F", "I-F", "I-B", "I-B-F"]
FILES = sorted(path for data in DATA for path in (CONFIGS / data).glob("*.yaml"))
SLOWER = ["loss.candidates: 8 -> 1", "optim.lr: 0.002 -> 0.001"]
CROSS = ["scoring: late_interaction -> cross", "init: bert-base-uncased -> runs/coco/B"]
ONE_CODE = ["model.codes: 32 -> 1"]
DIFFERENT = {  # a file of the repository -> where it is not what its name says
    "demo/I": ONE_CODE, "flickr8k/I": ONE_CODE, "own/I": ONE_CODE,
    "demo/C": [*SLOWER, "optim.epochs: 1 -> 2", "run.test_images: 0 -> 100"], "demo/joint": SLOWER,
    "demo/VisualSparta": ["optim.lr: 0.002 -> 0.0005"],
    "flickr8k/C": ["run.test_images: 0 -> 100"],
}  # fmt: skip


def test_a_row_is_its_data_and_what_its_name_says():
    published = {name: row for n in (1, 2, 6, 7, 8) for name, row in published_table(f"table{n}").items()}
    published.update({row["name"]: row for row in published_table("table9")})
    base = load_config(CONFIGS / "coco.yaml")
    assert set(row_names()) == set(published)
    for name, row in published.items():
        *way, shape = name.split("-")
        one_vector = ["loss.margin: 0.6 -> 0.2", "distill.teacher_temperature: 16.0 -> 2.0"]
        assert set(differences(base, load_config(f"{CONFIGS}/coco.yaml:{name}"))) == {
            *(one_vector if row["fragments"] == 1 else []),
            f"name:  -> {name}",
            f"run.dir:  -> runs/coco/{name}",
            *([f"distill.teacher:  -> runs/coco/{'-'.join(way)}"] if way else []),
            *([f"model.codes: 0 -> {row['codes']}"] if row["codes"] else []),
            *([f"model.fragments: all -> {row['fragments']}"] if shape not in "IC" else []),
            *(["run.val_images: 0 -> 100", *(f"model.{change}" for change in CROSS)] if shape == "C" else []),
        }


@pytest.mark.parametrize(("data", "temperature"), [("coco", 2), ("flickr8k", 20)])
def test_what_a_data_sets_file_says_of_one_vector_stays(data, temperature):
    config = load_config(f"{CONFIGS}/{data}.yaml:B-k0l8-F")
    assert config.model.fragments == 1 and config.distill.teacher_temperature == temperature


def test_neighbours():
    def changes(name):
        fast, other = (load_config(f"{CONFIGS}/flickr30k.yaml:{row}") for row in ("F", name))
        return set(differences(fast, other, ["name", "run"]))

    no_vector = {"model.fragments: 1 -> 32", "distill.teacher_temperature: 2.0 -> 16.0"}
    scan = {*no_vector, "model.score_padding: counted -> masked", "loss.ranking: smooth_max -> hardest"}
    assert changes("VSE++") == {"loss.ranking: smooth_max -> hardest"}
    assert changes("SCAN-t2i") == scan | {"model.scoring: late_interaction -> scan_t2i"}
    assert changes("SCAN-i2t") == scan | {"model.scoring: late_interaction -> scan_i2t"}
    sparta = {*no_vector, "loss.margin: 0.2 -> 0.6", "model.scoring: late_interaction -> visual_sparta"}
    assert changes("VisualSparta") == sparta
    assert changes("joint") == {"model.joint: False -> True", "model.init: bert-base-uncased -> runs/flickr30k/B"}


@pytest.mark.slow
@pytest.mark.parametrize("data", DATA)
def test_a_file_is_what_its_name_says_but_for_exceptions(data, tmp_path):
    shutil.copy(CONFIGS / f"{data}.yaml", tmp_path)  # without the folder beside it
    files = [path for path in FILES if path.parent.name == data and path.stem != "finetune"]
    assert {*STEPS} <= {path.stem for path in files}
    for path in files:
        row = load_config(path)
        said = load_config(f"{tmp_path / data}.yaml:{path.stem}")
        assert differences(said, row) == DIFFERENT.get(f"{data}/{path.stem}", [])
        assert load_config(f"{CONFIGS / data}.yaml:{path.stem}") == row
        assert path.stem in STEPS or f"{data}/{path.stem}" in DIFFERENT  # else it needs no file


def test_a_file_starts_with_its_purpose_its_section_and_its_commands():
    for path in FILES:
        config, text = load_config(path), path.read_text()
        assert re.match(r"# .+: .+ Paper: (Sec|Table|appendix).+\n#   python tools/", text), path
        commands = [shlex.split(line, comments=True) for line in re.findall(r"^#   (.+)", text, re.M)]
        tool = "distill" if config.distill.teacher else "train"
        assert [command[1] for command in commands[:2]] == [f"tools/{tool}.py", "tools/eval.py"]
        for _, _, *arguments in commands:
            named = [each for each in arguments if each.startswith(("configs/", f"runs/{path.parent.name}/"))]
            assert named and set(named) <= {f"configs/{path.parent.name}/{path.name}", config.run.dir}


def test_a_base_may_be_a_row():
    row, tuned = (load_config(f"{CONFIGS}/own.yaml:{name}") for name in ("B", "finetune"))
    changed = ["name: B -> finetuned", "model.init: linear -> runs/flickr8k/B"]
    assert differences(row, tuned, ["optim", "run"]) == changed


@pytest.mark.parametrize(
    "name, message",
    [
        ("I-k16l4x", "no such row 'I-k16l4x'; the nearest is 'I-k16l48'"),
        ("I-k16l84", "no such row 'I-k16l84'; the nearest is 'I-k16l48'"),
        ("scan-t2i", "no such row 'scan-t2i'; the nearest is 'SCAN-t2i'"),
        ("finetun", "no such row 'finetun'; the nearest is 'finetune'"),
        ("B-C", "no such row 'B-C'; the nearest is 'B-F'"),
        ("I--F", "no such row 'I--F'; the nearest is 'I-B-F'"),
        ("k8l0", "no such row 'k8l0'"),
        ("k9999l1", "'model.codes' must be at most 4096, found 9999"),
    ],
)
def test_a_name_of_no_row(name, message):
    assert is_row(CONFIGS / "own.yaml", name) == name.startswith("k9999")
    with pytest.raises(InputError) as error:
        load_config(f"{CONFIGS}/own.yaml:{name}")
    assert message in str(error.value) and "own.yaml" in str(error.value)
