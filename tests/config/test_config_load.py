"""Layers, types and messages of the configuration."""

import pytest

from inflate_shrink.config import Config, config_from_dict, differences, in_effect, load_config, to_dict
from inflate_shrink.errors import InputError


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
    assert (released.loss.ranking, released.distill.student_temperature, released.model.score_padding) == (
        "smooth_max",
        16,
        "counted",
    )
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


def test_what_decides_nothing_is_no_difference(write):
    base = load_config(write(""), ["distill.teacher=I", "distill.share_codes=false"])
    shared = load_config(write(""), ["distill.teacher=I"])
    assert in_effect(base) == in_effect(shared) != shared  # it has no codes
    codes = [
        load_config(write("model: {codes: 8}"), ["distill.teacher=I", f"distill.share_codes={said}"])
        for said in ("true", "false")
    ]
    assert in_effect(codes[0]) == codes[0] != in_effect(codes[1])
    alone = load_config(write("distill: {teacher_temperature: 2}"))
    assert in_effect(alone).distill == Config().distill


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
        (
            "",
            "model.text_weights=length",
            "'model.text_weights' must be equal but with late interaction and model.score",
        ),
        ("model: {codes: -1}", None, "config.yaml: 'model.codes' must be 0 or more"),
        ("model: {vector: mean}", None, "'model.vector' must be slot but in models of one fragment"),
        ("model: {vector: mean, fragments: 1, codes: 8}", None, "'model.vector' must be slot but in"),
        ("distill: {vectors: 1}", None, "'distill.vectors' must be 0 but in models of one fragment"),
        ("- 1", None, "expected a mapping"),
        ("model: {codes: [", None, "not valid YAML at line"),
        ("model: {codes: \x0b}", None, "not valid YAML: unacceptable character #x000b"),
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
        ("", "data.text_length=2", "'data.text_length' must be 3 or more: [CLS] and [SEP], and a word, found 2"),
        ("", "model.hidden=0", "'model.hidden' must be 1 or more"),
        ("", "optim.clip=-1", "'optim.clip' must be 0 or more"),
        ("", "model.heads=0", "'model.heads' must be 1 or more"),
        ("", "model.hidden=1000000000000", "'model.hidden' must be at most 16384"),
        ("", "run.seed=4294967296", "'run.seed' must be at most 4294967295"),
        ("", "optim.decay_epochs=[20, -1]", "'optim.decay_epochs' must be 0 or more"),
        ("", "optim.learning_rate=1", "unknown key 'optim.learning_rate'; the nearest valid key is 'optim.lr'"),
        ("", "bs=1", "unknown key 'bs'; the nearest valid key is 'optim.batch_size'"),
        ("", "train.epochs=1", "unknown key 'train.epochs'; the nearest valid key is 'optim.epochs'"),
    ],
)
def test_one_clear_line(write, text, override, message):
    with pytest.raises(InputError) as error:
        load_config(write(text), [override] if override else [])
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "optim: {lr: 0x_}", "name: !!int x", "name: !!timestamp x", "name: !!bool x", "name: !!map x",
        "name: {? [a] : b}",
        f"optim: {{lr: {'9' * 400}}}", f"optim: {{epochs: {'9' * 5000}}}",
        "name: " + "[" * 1500, "optim: " + "{a: " * 700,
        "name: &a [*a]", "optim: &a {lr: *a}", "&a {optim: *a}", "optim: {lr: 1, lr: 2}",
        "loss: {margin: 1}\nloss: {power: 1}",
        'name: "a\\0b"', 'name: "\\ud800"', '_base_: "a\\0b"', f"run: {{dir: {'a' * 300}}}", f"_base_: {'a' * 5000}",
        "loss: {ranking: {}}", "1: 2",
    ],
)  # fmt: skip
def test_whatever_yaml_holds_is_one_line(write, text):
    with pytest.raises(InputError) as error:
        load_config(write(text))
    assert "config.yaml" in str(error.value) or "expected the name of a YAML file" in str(error.value)
    assert len(str(error.value)) < 700


def test_a_date_is_text(write):
    config = load_config(write("name: 2021-11-07"), ["run.dir=2001-99-99"])
    assert (config.name, config.run.dir) == ("2021-11-07", "2001-99-99")


def test_a_missing_file_and_what_is_near(write):
    path = write("", "b32.yaml")
    for missing, near in (
        (path.with_name("b33.yaml"), f"; there is {path}"),
        (path.parent / "b32" / "B.yaml", f"; without a file of its own it is a name: {path}:B"),
        (path.parent / "nowhere" / "B.yaml", "nowhere holds no YAML file"),
    ):
        with pytest.raises(InputError) as error:
            load_config(missing)
        assert str(error.value).startswith(f"{missing}: no such config file") and str(error.value).endswith(near)
