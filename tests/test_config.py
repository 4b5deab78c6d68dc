"""Layers, types and messages of the configuration."""

import re
import shlex
from functools import cache
from pathlib import Path

import pytest
import yaml

from inflate_shrink.config import Config, config_from_dict, differences, load_config, to_dict
from inflate_shrink.errors import InputError
from inflate_shrink.published import published_rows, published_table

ROOT = Path(__file__).resolve().parents[1]
DATA = ["demo", "flickr8k", "flickr30k", "coco"]
OWN = ["F", "B", "I", "B-F", "I-F", "I-B", "I-B-F"]
ROWS = {name: row for n in (1, 2, 6, 7, 8) for name, row in published_table(f"table{n}").items()}
ROWS.update({row["name"]: row for row in published_table("table9")})
NEIGHBOURS = ["VSE++", "SCAN-t2i", "SCAN-i2t", "VisualSparta", "joint"]
MODELS = [*ROWS, *NEIGHBOURS]


@pytest.fixture
def write(tmp_path):
    def write(text, name="config.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_later_layers_win(write):
    write("optim: {lr: 0.1, epochs: 3}\nmodel: {codes: 4}", "base.yaml")
    config = load_config(write("_base_: base.yaml\noptim: {lr: 0.2}"), ["optim.epochs=5"])
    assert (config.optim.lr, config.optim.epochs, config.model.codes) == (0.2, 5, 4)
    assert config.optim.batch_size == Config().optim.batch_size


def test_the_recipe_lies_below_the_file(write):
    path = write("distill: {teacher_temperature: 2}")
    paper, released = (load_config(path, [f"recipe={name}"]) for name in ("paper", "released"))
    assert (released.loss.ranking, released.distill.student_temperature, released.model.score_padding) == ("smooth_max", 16, "counted")
    assert (paper.loss.ranking, paper.distill.student_temperature, paper.model.score_padding) == ("sum", 12, "masked")
    assert (paper.distill.loss, released.distill.loss) == ("positive", "full")
    assert released.distill.teacher_temperature == paper.distill.teacher_temperature == 2


def test_numbers_as_yaml_reads_them(write):
    config = load_config(write("optim: {lr: 1e-4}"), ["model.fragments=8", "optim.clip=2"])
    assert (config.optim.lr, config.model.fragments, config.optim.clip) == (1e-4, 8, 2.0)
    assert load_config(write("model: {fragments: all}")).model.fragments == "all"


def test_round_trip(write):
    config = load_config(write("model: {codes: 32}\nrecipe: paper"), ["optim.decay_epochs=[3, 5]"])
    assert config_from_dict(to_dict(config), "test") == config


def test_differences_name_keys(write):
    old, new = load_config(write("")), load_config(write(""), ["optim.lr=0.5", "run.dir=x"])
    assert differences(old, new, ignore=["run.dir"]) == ["optim.lr: 0.0001 -> 0.5"]


@pytest.mark.parametrize(
    "text, override, message",
    [
        ("optim: {lrr: 1}", None, "config.yaml: unknown key 'optim.lrr'; the nearest valid key is 'optim.lr'"),
        ("", "model.code=3", "-o: unknown key 'model.code'; the nearest valid key is 'model.codes'"),
        ("model: {codes: many}", None, "'model.codes' must be a whole number, found 'many'"),
        ("model: {codes: 1.5}", None, "'model.codes' must be a whole number, found 1.5"),
        ("model: {codes: true}", None, "'model.codes' must be a whole number, found True"),
        ("optim: 3", None, "unknown key 'optim'"),
        ("recipe: mine", None, "'recipe' must be one of paper, released, found 'mine'"),
        ("loss: {ranking: max}", None, "one of sum, hardest, smooth_max"),
        ("model: {heads: 5}", None, "'model.heads' must be a divisor of model.hidden (768), found 5"),
        ("model: {codes: -1}", None, "config.yaml: 'model.codes' must be 0 or more"),
        ("- 1", None, "expected a mapping"),
        ("model: {codes: [", None, "not valid YAML at line"),
        ("_base_: none.yaml", None, "none.yaml: no such config file, the _base_ of"),
        ("_base_: config.yaml", None, "break the circle"),
        ("", "optim.lr", "-o optim.lr: expected section.key=value"),
        ("", "distill.student_temperature=0", "above 0"),
        ("", "loss.margin=nan", "'loss.margin' must be a finite number, found 'nan'"),
        ("", "loss.margin=.nan", "'loss.margin' must be a finite number, found nan"),
        ("", "optim.lr=.inf", "'optim.lr' must be a finite number"),
        ("", "run.seed=-1", "-o: 'run.seed' must be 0 or more, found -1"),
        ("", "run.log_steps=0", "'run.log_steps' must be 1 or more"),
        ("", "data.text_length=600", "'data.text_length' must be at most 512"),
        ("", "data.text_length=1", "'data.text_length' must be 2 or more"),
        ("", "model.hidden=0", "'model.hidden' must be 1 or more"),
        ("", "optim.clip=-1", "'optim.clip' must be 0 or more"),
    ],
)
def test_one_clear_line(write, text, override, message):
    with pytest.raises(InputError) as error:
        load_config(write(text), [override] if override else [])
    assert message in str(error.value) and "\n" not in str(error.value)


@cache
def shipped(data, model):
    """A config of the repository: its values, the keys that the file itself sets, its header."""
    path = ROOT / "configs" / data / f"{model}.yaml"
    header = "".join(line for line in path.read_text().splitlines(True) if line.startswith("#"))
    return load_config(path), yaml.safe_load(path.read_text()), header


def keys(values):
    """Dotted key -> value of what a file sets."""
    pairs = [(key, value if isinstance(value, dict) else {"": value}) for key, value in values.items() if key != "_base_"]
    return {f"{key}.{name}".rstrip("."): value for key, section in pairs for name, value in section.items()}


@pytest.mark.parametrize("data", [*DATA, "own"])
def test_every_row_has_a_config(data):
    expected = {*OWN, "finetune"} if data == "own" else set(MODELS)
    assert {path.stem for path in (ROOT / "configs" / data).glob("*.yaml")} == {"base", *expected}


DEMO_ALONE = {  # what so short a training needs
    "C": {"loss.candidates": 1, "optim.lr": "1e-3", "optim.epochs": 2},
    "joint": {"loss.candidates": 1, "optim.lr": "1e-3"},
    "VisualSparta": {"optim.lr": "5e-4"},
}


@pytest.mark.parametrize("data, model", [(data, model) for data in DATA for model in MODELS] + [("own", model) for model in OWN])
def test_a_row_is_its_data_and_its_model(data, model):
    config, values, _ = shipped(data, model)
    *way, shape = model.split("-") if model in ROWS else [model]
    assert values["_base_"] == ["base.yaml", f"../models/{shape}.yaml"]
    assert keys(values) == {
        "name": model,
        "run.dir": f"runs/{data}/{model}",
        **({"distill.teacher": f"runs/{data}/{'-'.join(way)}"} if way else {}),
        **({"model.init": f"runs/{data}/B"} if model in ("C", "joint") or data == "demo" and model in ("I", "k16l48", "k64l96", "k96l128") else {}),
        **({"run.test_images": 100} if model == "C" and data in ("demo", "flickr8k") else {}),  # on a CPU
        **(DEMO_ALONE.get(model, {}) if data == "demo" else {}),
    }
    assert config.data.name == data and config.data.dir == f"data/{data}"
    if model in ROWS:
        codes, fragments = ROWS[model]["codes"], ROWS[model]["fragments"]
        assert config.model.scoring == ("cross" if fragments is None else "late_interaction")
        assert (config.model.codes, config.model.fragments) == (codes, "all" if model in ("C", "I") else fragments)
        assert config.loss.margin == (0.2 if fragments == 1 else 0.6)
        assert config.distill.teacher_temperature == (2 if fragments == 1 else 16)


def test_finetune_repeats_nothing(write):
    path = ROOT / "configs" / "own" / "finetune.yaml"
    values = yaml.safe_load(path.read_text())
    bases = load_config(write(f"_base_: [{', '.join(str(path.parent / base) for base in values['_base_'])}]"))
    changed = [line.partition(":")[0] for line in differences(bases, load_config(path))]
    assert sorted(changed) == sorted(keys(values))


@pytest.mark.parametrize("model", MODELS)
def test_a_model_is_the_same_on_all_data(model):
    sizes = ["model.init", "model.hidden", "model.layers", "model.heads", "model.ffn", "model.dropout"]
    ignore = ["name", "data", "distill.teacher", "distill.student_init", "loss.candidates", *sizes, "optim", "amp", "run"]
    for data in DATA + ["own"] * (model in OWN):
        assert differences(shipped("coco", model)[0], shipped(data, model)[0], ignore) == []


def test_every_shape_is_used():
    used = {shipped("coco", model)[1]["_base_"][1] for model in MODELS}
    assert used == {f"../models/{path.name}" for path in (ROOT / "configs" / "models").glob("*.yaml")}


@pytest.mark.parametrize("data, model", [(data, model) for data in DATA for model in MODELS] + [("own", model) for model in OWN + ["finetune"]])
def test_a_header_has_the_commands(data, model):
    config, _, header = shipped(data, model)
    commands = [shlex.split(line, comments=True) for line in re.findall(r"^#   (.+)", header, re.M)]
    assert [command[1] for command in commands[:2]] == [f"tools/{'distill' if config.distill.teacher else 'train'}.py", "tools/eval.py"]
    for python, tool, *arguments in commands:
        assert python == "python"
        assert (ROOT / tool).is_file()
        source = (ROOT / "inflate_shrink" / "commands" / Path(tool).name).read_text() + (ROOT / "inflate_shrink" / "cli.py").read_text()
        assert all(f'"{option}"' in source for option in arguments if option.startswith("-"))
        named = [argument for argument in arguments if argument.startswith(("configs/", f"runs/{data}/"))]
        assert named and set(named) <= {f"configs/{data}/{model}.yaml", config.run.dir}


@pytest.mark.parametrize("data", ["flickr30k", "coco"])
@pytest.mark.parametrize("model", MODELS)
def test_a_header_has_the_published_rows(data, model):
    header = shipped(data, model)[2]
    rows = published_rows("SCAN" if model.startswith("SCAN") else model)
    rows += [("", published_table("rfrs")["joint-reranked"])] if model == "joint" else []
    columns = ("flickr30k",) if data == "flickr30k" else ("coco1k", "coco5k")
    found = [(label, row[column]) for column in columns for label, row in rows if column in row]
    if not found:
        assert data == "flickr30k" and "# Not published for Flickr30K; on MSCOCO1K" in header
        found = [(label, row["coco1k"]) for label, row in rows]
    for label, row in found:
        sides = [f"{name}{'/'.join(f'{value:.1f}' for value in row[side])}" for side, name in (("t2i", ""), ("i2t", "i2t ")) if row.get(side)]
        line = next((line for line in header.splitlines() if ", ".join(sides) in line), None)
        assert line and label in (line if label.startswith("Table") else header)


@pytest.mark.parametrize("data", ["demo", "flickr8k"])
def test_a_header_says_where_our_rows_are(data):
    assert all(f"# Expected: docs/results/{data}.md." in shipped(data, model)[2] for model in MODELS)
