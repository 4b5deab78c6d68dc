"""What is wrong with the input is one line on standard error with exit code 2, and nothing is left half-made."""

import os
import shutil

import numpy as np
import pytest

from inflate_shrink.engine.checkpoint import open_checkpoint


@pytest.fixture
def refused(run_tool, tmp_path):
    """A function: run a tool and check that it refuses, in one line that holds all the parts."""

    def check(parts, tool, *arguments):
        code, stdout, stderr = run_tool(tool, *arguments)
        assert code == 2, stderr
        assert stderr.startswith("error: ") and stderr.endswith("\n") and stderr.count("\n") == 1, stderr
        for part in parts:
            assert str(part) in stderr
        assert not (tmp_path / "run").exists()
        return stdout

    return check


@pytest.fixture
def train(tiny_yaml, tmp_path):
    """Arguments of a training run in tmp_path/run, before overrides."""
    return ["train", "-c", tiny_yaml, "-o", f"run.dir={tmp_path / 'run'}"]


def test_missing_config(refused, tmp_path):
    refused([tmp_path / "none.yaml", "no such config file"], "train", "-c", tmp_path / "none.yaml")


@pytest.mark.parametrize(
    "override, parts",
    [
        ("optim.learning_rate=1", ["unknown key 'optim.learning_rate'; the nearest valid key is 'optim.lr'"]),
        ("optim.lr=0x_", ["-o optim.lr=0x_: not valid YAML"]),
        ("optim.batch_size=many", ["'optim.batch_size' must be a whole number, found 'many'"]),
        ("optim.batch_size=1", ["'optim.batch_size' must be 2 or more"]),
        ("optim.lr", ["-o optim.lr: expected section.key=value"]),
        ("data.dir=nowhere", ["nowhere: no such data set directory", "make_demo_data.py"]),
    ],
)
def test_bad_override(refused, train, override, parts):
    refused(parts, *train, "-o", override)


def test_split_without_captions(refused, train):
    refused(
        ["no caption of split 'nothing'; its splits are: train, val, test"], *train, "-o", "data.train_split=nothing"
    )


def test_truncated_features(refused, train, own_data):
    os.truncate(own_data / "regions.npy", 5000)
    refused([own_data / "regions.npy", "has 5000"], *train, "-o", f"data.dir={own_data}")


def test_captions_of_an_unknown_image(refused, train, own_data):
    path = own_data / "captions.tsv"
    path.write_text(path.read_text().replace("\ttrain-00003\t", "\tnobody\t", 1))
    refused([path, "line 17", "'nobody'"], *train, "-o", f"data.dir={own_data}")


def test_not_a_number_in_the_features(run_tool, train, own_data):
    features = np.load(own_data / "regions.npy", mmap_mode="r+")
    features[3, 0, 5] = np.nan  # found when it is read
    features.flush()
    code, _, stderr = run_tool(*train, "-o", f"data.dir={own_data}")
    assert code == 2
    assert stderr.startswith("error: ") and stderr.count("\n") == 1
    assert "regions.npy: row 3 (image train-00003) contains NaN" in stderr


def test_missing_teacher(refused, train, tmp_path):
    refused(
        [tmp_path / "none", "no such checkpoint directory"],
        "distill",
        *train[1:],
        "-o",
        f"distill.teacher={tmp_path / 'none'}",
    )


def test_teacher_that_reads_other_words(refused, train, trained, own_data):
    (own_data / "files.json").unlink()
    with open(own_data / "vocab.txt", "a") as file:
        file.write("xylophone\n")
    refused(
        ["vocabulary", trained()],
        "distill",
        *train[1:],
        "-o",
        f"distill.teacher={trained()}",
        "-o",
        f"data.dir={own_data}",
    )


def test_weights_of_another_model(refused, trained, tmp_path):
    directory = shutil.copytree(open_checkpoint(trained()).directory, tmp_path / "mixed")
    shutil.copy(
        open_checkpoint(trained("model.hidden=8")).directory / "model.safetensors", directory / "model.safetensors"
    )
    (directory / "files.json").unlink()
    refused(
        [directory / "model.safetensors", "another model", "has shape"],
        "eval",
        "--checkpoint",
        directory,
        "--json",
        tmp_path / "out.json",
    )
    assert not (tmp_path / "out.json").exists()


def test_damaged_weights(refused, trained, tmp_path):
    directory = shutil.copytree(open_checkpoint(trained()).directory, tmp_path / "damaged")
    os.truncate(directory / "model.safetensors", 100)
    refused([directory / "model.safetensors", "damaged"], "eval", "--checkpoint", directory)


@pytest.mark.parametrize(
    "arguments, parts",
    [
        ([], ["give -c CONFIG or --checkpoint DIR"]),
        (["--checkpoint", "nowhere"], ["nowhere: no such checkpoint directory"]),
        (["--checkpoint", "RUN", "--fragments", "0"], ["--fragments must be 1 or more, found 0"]),
        (["--checkpoint", "RUN", "--protocol", "fold5"], ["fold5 needs whole thousands of images, the split has 10"]),
        (["--checkpoint", "RUN", "--json", "RUN/train.log/result.json"], ["train.log/result.json: cannot be written"]),
    ],
)
def test_evaluation(refused, trained, arguments, parts):
    refused(parts, "eval", *[argument.replace("RUN", str(trained())) for argument in arguments])


def test_demo_data_does_not_replace_a_directory(refused, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("precious")
    refused([tmp_path / "mine", "already exists"], "make_demo_data", "--out", tmp_path / "mine", "--scenes", 1, 1, 1)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["file"]


def test_debug_shows_where_it_happened(run_tool, train):
    code, _, stderr = run_tool(*train, "-o", "data.dir=nowhere", "--debug")
    assert code != 0
    assert "Traceback" in stderr and "open_store" in stderr and "InputError: nowhere" in stderr
