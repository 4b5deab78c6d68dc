"""Layers, types and messages of the configuration."""

from pathlib import Path

import pytest

from inflate_shrink.config import Config, config_from_dict, differences, load_config, to_dict
from inflate_shrink.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
MODELS = ["F", "B", "I", "B-F", "I-F", "I-B", "I-B-F"]


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


@pytest.mark.parametrize("data", ["demo", "flickr8k", "flickr30k", "coco", "own"])
@pytest.mark.parametrize("model", MODELS)
def test_shipped_configs(data, model):
    path = ROOT / "configs" / data / f"{model}.yaml"
    config = load_config(path)
    assert config.name == model and config.data.dir == f"data/{data}" and config.run.dir == f"runs/{data}/{model}"
    header = path.read_text().partition("_base_")[0]
    assert f"tools/{'distill' if '-' in model else 'train'}.py -c configs/{data}/{model}.yaml" in header
    kind = model.split("-")[-1]
    assert (config.model.codes, config.model.fragments) == {"I": (32, "all"), "B": (0, 32), "F": (0, 1)}[kind]
    if "-" in model:
        assert config.distill.teacher == f"runs/{data}/{model.rpartition('-')[0]}"
        assert config.distill.teacher_temperature == (2 if kind == "F" else 16)
    elif kind == "F":
        assert config.loss.margin == 0.2
