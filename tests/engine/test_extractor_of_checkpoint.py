"""A model reads regions of the extractor that it was trained on; of another one only if the user insists."""

import json

import pytest

from inflate_shrink.commands import eval as eval_command
from inflate_shrink.commands import index as index_command
from inflate_shrink.engine.checkpoint import open_checkpoint
from inflate_shrink.engine.steps import distill, train
from inflate_shrink.errors import InputError

OTHER = "cells of backbone r.onnx sha256:00 (imagenet, shorter side 320)"
REFUSED = r"own: its regions are of the extractor 'cells of .*', .* was trained on those of 'pixel statistics of .*'; .* --any-extractor"


@pytest.fixture
def other_data(own_data):
    """The tiny data set, as if another extractor had made its regions."""
    meta = json.loads((own_data / "meta.json").read_text())
    (own_data / "files.json").unlink(missing_ok=True)
    (own_data / "meta.json").write_text(json.dumps({**meta, "extractor": OTHER}))
    return own_data


def test_it_is_recorded(trained, tiny_data):
    meta = json.loads((tiny_data / "meta.json").read_text())
    assert open_checkpoint(trained()).state["regions"] == {
        "extractor": meta["extractor"],
        "clustering": meta["clustering"],
    }
    assert meta["extractor"]


def test_another_one_is_refused(trained, other_data):
    with pytest.raises(InputError, match=REFUSED):
        open_checkpoint(trained()).open_data(other_data)
    assert len(open_checkpoint(trained(), any_extractor=True).open_data(other_data).image_ids) == 42


@pytest.mark.parametrize("regions", [None, "damaged", {}, {"extractor": ""}])
def test_a_checkpoint_that_does_not_say_it_is_taken(trained, other_data, regions):
    checkpoint = open_checkpoint(trained())
    checkpoint._replace(state={**checkpoint.state, "regions": regions}).open_data(other_data)


def test_data_that_do_not_say_it_are_taken(trained, own_data):
    meta = json.loads((own_data / "meta.json").read_text())
    (own_data / "files.json").unlink(missing_ok=True)
    (own_data / "meta.json").write_text(json.dumps({**meta, "extractor": None}))
    open_checkpoint(trained()).open_data(own_data)


@pytest.mark.slow
def test_evaluation_and_indexes(trained, other_data, tmp_path, capsys):
    data = ["--data", str(other_data), "--split", "test"]
    for main, arguments in (
        (eval_command.main, ["--checkpoint", str(trained()), *data]),
        (index_command.main, ["build", "--checkpoint", str(trained()), *data, "--out", str(tmp_path / "index")]),
    ):
        with pytest.raises(InputError, match=REFUSED):
            main(arguments)
        assert not (tmp_path / "index").exists()
        main([*arguments, "--any-extractor"])
    assert "10 images" in capsys.readouterr().out
    add = ["add", str(tmp_path / "index"), "--data", str(other_data), "--split", "val"]
    with pytest.raises(InputError, match=REFUSED):
        index_command.main(add)
    index_command.main([*add, "--any-extractor"])


def test_the_first_stage_of_an_index(trained, other_data, tmp_path):
    """The exact model was trained on these regions, the F was not."""
    train_on_other = train_other(trained, other_data, tmp_path)
    build = ["build", "--checkpoint", str(train_on_other), "--first", str(trained("model.fragments=1"))]
    with pytest.raises(InputError, match=REFUSED):
        index_command.main([*build, "--data", str(other_data), "--out", str(tmp_path / "index")])


def train_other(trained, other_data, tmp_path):
    config = open_checkpoint(trained()).config
    config.data.dir, config.run.dir = str(other_data), str(tmp_path / "other")
    train(config)
    return tmp_path / "other"


def test_fine_tuning_and_distilling(tiny_config, trained, other_data, tmp_path):
    common = [f"data.dir={other_data}", "optim.epochs=1", f"run.dir={tmp_path / 'run'}"]
    with pytest.raises(InputError, match=f"model.init: .*{REFUSED}"):
        train(tiny_config(f"model.init={trained()}", *common))
    with pytest.raises(InputError, match=f"distill.teacher: .*{REFUSED}"):
        distill(tiny_config(f"distill.teacher={trained()}", *common))
    train(tiny_config(f"model.init={trained()}", "data.any_extractor=true", *common))
    assert open_checkpoint(tmp_path / "run").state["regions"]["extractor"] == OTHER
    open_checkpoint(tmp_path / "run").open_data(other_data)
    with pytest.raises(InputError, match="was trained on those of 'cells of"):  # who insisted once is asked again
        open_checkpoint(tmp_path / "run").open_data(open_checkpoint(trained()).config.data.dir)
