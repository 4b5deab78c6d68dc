"""A model's folder for a hub: it opens as the checkpoint does, says what was measured of it, and notices damage."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

import inflate_shrink as ins
from inflate_shrink.commands import eval as eval_command
from inflate_shrink.commands import export as export_command
from inflate_shrink.commands import index as index_command
from inflate_shrink.engine.checkpoint import open_checkpoint
from inflate_shrink.errors import InputError
from inflate_shrink.pipeline.measure import measure_run
from inflate_shrink.pipeline.result import read_result
from inflate_shrink.report.card import card
from inflate_shrink.report.hub import export_hub, measured_result, recorded
from inflate_shrink.search.encoder.encoders import ImageEncoder, QueryEncoder


@pytest.fixture(scope="module")
def run(trained, tmp_path_factory):
    """A run that was measured on its test split."""
    run = shutil.copytree(trained(), tmp_path_factory.mktemp("measured") / "run", symlinks=True)
    measure_run(run)
    return run


@pytest.fixture(scope="module")
def hub(run, tmp_path_factory):
    """Its folder."""
    directory = tmp_path_factory.mktemp("hub") / "tiny"
    export_hub(open_checkpoint(run), directory, "cc-by-4.0")
    return directory


@pytest.fixture
def copy(hub, tmp_path):
    """A copy of the folder that a test may damage."""
    return shutil.copytree(hub, tmp_path / "copy")


def front_matter(directory):
    """The values of the YAML front matter, and what comes after it."""
    start, front, rest = (directory / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    assert start == ""
    return yaml.safe_load(front), rest


def test_it_is_the_same_model(hub, run, tiny_data):
    ours, theirs, store = ins.load_model(hub), ins.load_model(run), ins.open_store(tiny_data)
    assert ours.checkpoint.fingerprint() == theirs.checkpoint.fingerprint()
    split = store.split("test")
    regions = store.read_regions(split.image_rows)
    for method, arguments in (("encode_texts", [split.captions]), ("encode_images", regions)):
        found, expected = (getattr(model, method)(*arguments) for model in (ours, theirs))
        np.testing.assert_array_equal(found.vectors.numpy(), expected.vectors.numpy())
    texts, images = QueryEncoder(hub / "text_encoder"), ImageEncoder(hub / "image_encoder")
    assert texts.fingerprint == images.fingerprint == ours.checkpoint.fingerprint()[:16]
    fragments = ours.encode_texts(["a red ball"])
    np.testing.assert_allclose(
        texts(["a red ball"])[0], fragments.vectors.numpy()[0][fragments.float_mask().numpy()[0] > 0], atol=1e-4
    )


def test_commands_take_it(hub, run, tiny_data, tmp_path):
    eval_command.main(["--checkpoint", str(hub), "--data", str(tiny_data), "--json", str(tmp_path / "found.json")])
    found = json.loads((tmp_path / "found.json").read_text())
    assert found == {"protocol": "full", **read_result(run / "result.json")["evaluations"]["full"]}
    index_command.main(["build", "--checkpoint", str(hub), "--data", str(tiny_data), "--out", str(tmp_path / "index")])
    assert len(ins.Searcher(tmp_path / "index").search("a red ball", k=3)) == 3


def test_the_card_says_what_was_measured(hub, run):
    front, text = front_matter(hub)
    result, checkpoint = read_result(run / "result.json"), open_checkpoint(run)
    assert (front["license"], front["library_name"], front["metrics"]) == ("cc-by-4.0", "inflate-shrink", ["recall"])
    (model,) = front["model-index"]
    validation, test = model["results"]
    assert [each["dataset"]["split"] for each in (validation, test)] == ["val", "test"]
    history = checkpoint.state["history"][-1]
    for entry, values in ((validation, history), (test, result["evaluations"]["full"])):
        assert [metric["value"] for metric in entry["metrics"]] == [
            round(values[side][key], 2) for side in ("t2i", "i2t") for key in ("r1", "r5", "r10")
        ]
        assert {metric["name"].partition(", ")[2] for metric in entry["metrics"]} == {"protocol full"}
    assert f"| unnamed, test | full | 10 | 50 | {result['evaluations']['full']['t2i']['r1']:.1f}/" in text
    assert "unnamed, val (chose the checkpoint) | full | 8 | 40 |" in text and result["training"]["date"] in text
    assert "24 images" in text and "pixel statistics of 100 boxes" in text and 'ins.load_model("tiny")' in text


def test_a_hub_reads_the_card(hub):
    cards = pytest.importorskip("huggingface_hub")
    data = cards.ModelCard.load(hub / "README.md").data
    assert data.license == "cc-by-4.0" and {result.metric_type for result in data.eval_results} == {"recall"}
    assert {result.dataset_split for result in data.eval_results} == {"val", "test"}


def test_nothing_is_said_that_was_not_measured(trained, run, hub, tmp_path):
    unmeasured, other = open_checkpoint(trained()), tmp_path / "run"
    assert [each.split for each in recorded(unmeasured)] == ["val"] and measured_result(unmeasured) is None
    shutil.copytree(run, other, symlinks=True)
    result = read_result(run / "result.json")
    for weights, found in (("0" * 16, False), ("", False), (None, True)):  # None: of an earlier version, of RUN/best
        (other / "result.json").write_text(json.dumps({**result, "weights": weights}))
        assert (measured_result(open_checkpoint(other)) is not None) == found
    without = unmeasured._replace(state={**unmeasured.state, "history": [{"step": unmeasured.state["step"]}, 3]})
    assert recorded(without) == []
    (tmp_path / "README.md").write_text(card(without, "hub", "unknown", [], None), encoding="utf-8")
    front, text = front_matter(tmp_path)
    assert "model-index" not in front and front["license"] == "unknown"
    assert "None is recorded of these weights. `tools/measure.py` measures a run" in text
    assert recorded(open_checkpoint(hub)) == recorded(open_checkpoint(run))  # handed on


def test_no_folder_of_this_machine_is_named(hub, run, tiny_data):
    assert str(tiny_data) in (run / "best" / "config.yaml").read_text()
    texts = {path.name: path.read_bytes() for path in hub.rglob("*") if path.is_file()}
    assert [name for name, text in texts.items() if bytes(tiny_data.parent) in text or bytes(run.parent) in text] == []


@pytest.mark.parametrize("name", ["model.safetensors", "config.yaml", "vocab.txt", "state.json", "result.json"])
def test_damage_is_noticed(copy, name):
    data = (copy / name).read_bytes()
    (copy / name).write_bytes(data[:-2] + bytes([data[-2] ^ 1, data[-1]]))
    with pytest.raises(InputError, match=f"{name}: its checksum is not the one in files.json"):
        ins.load_model(copy)


def test_the_card_may_be_edited(copy):
    (copy / "README.md").write_text("Mine")
    (copy / ".gitattributes").unlink()
    ins.load_model(copy)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--hub", "HUB"], "already exists and is not replaced"),
        (["--hub", "new", "--license", "Apache 2"], "expected the name of a license, such as apache-2.0"),
        (["--hub", "new", "--side", "text"], "--side has no effect with --hub"),
        (["--out", "new", "--license", "mit"], "--license has no effect with --out"),
    ],
)
def test_refused(hub, run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        export_command.main(["--checkpoint", str(run), *(str(hub) if each == "HUB" else each for each in arguments)])
    assert list(Path().iterdir()) == []


def test_a_cross_bert_is_refused(trained, tmp_path):
    with pytest.raises(InputError, match="which is not exported: tools/rerank.py scores its pairs"):
        export_hub(open_checkpoint(trained("model.scoring=cross")), tmp_path / "hub")
    assert list(tmp_path.iterdir()) == []
