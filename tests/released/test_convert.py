"""Released checkpoints of all modes, small, become the models they hold."""

import subprocess

import numpy as np
import pytest

from inflate_shrink.engine.checkpoint import open_checkpoint
from inflate_shrink.errors import InputError
from inflate_shrink.released.convert import convert
from released_files import released_shapes, save_released, save_zip

WORDS, REGION_DIM, HIDDEN, FFN, CODES = 30, 20, 64, 96, 5
BERTS = {
    "base": ("encoder",),
    "fast": ("encoder",),
    "inflate": ("encoder",),
    "shrinktobase": ("encoder", "encoder2"),
    "shrinktofast": ("encoder", "encoder2", "encoder3"),
}
MODELS = [  # mode, part, name, whether the file has codes, the BERT that runs, codes and fragments of the model, margin
    ("base", "student", "B", False, "encoder", 0, "all", 0.6),
    ("fast", "student", "F", False, "encoder", 0, 1, 0.2),
    ("inflate", "student", "I", True, "encoder", CODES, "all", 0.6),
    ("shrinktobase", "student", "I-B", True, "encoder2", 0, "all", 0.6),
    ("shrinktobase", "teacher", "I", True, "encoder", CODES, "all", 0.6),
    ("shrinktofast", "student", "I-B-F", False, "encoder3", 0, 1, 0.2),
    ("shrinktofast", "student", "I-B-F", True, "encoder3", 0, 1, 0.2),
    ("shrinktofast", "teacher", "I-B", False, "encoder2", 0, "all", 0.6),
    ("shrinktofast", "teacher", "I-B", True, "encoder2", 0, "all", 0.6),
]


def weights_of(mode, codes):
    shapes = released_shapes(BERTS[mode], CODES if codes else 0, HIDDEN, FFN, 12, WORDS, REGION_DIM)
    random = np.random.RandomState(0)
    return {name: random.normal(0, 0.1, shape).astype("float32") for name, shape in shapes.items()}


@pytest.fixture
def base_file(tmp_path):
    path = tmp_path / "base.pth.tar"
    save_released(path, weights_of("base", codes=False))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("mode, part, name, has_codes, bert, codes, fragments, margin", MODELS)
def test_every_model(mode, part, name, has_codes, bert, codes, fragments, margin, tmp_path):
    weights = weights_of(mode, has_codes)
    save_released(tmp_path / "file", weights)
    config, model, report = convert(tmp_path / "file", mode, part)

    sizes = config.model
    assert (sizes.hidden, sizes.heads, sizes.ffn, sizes.layers) == (HIDDEN, 1, FFN, 3)
    assert (sizes.codes, sizes.fragments, config.loss.margin) == (codes, fragments, margin)
    assert (sizes.score_padding, sizes.dropout, config.recipe) == ("counted", 0.1, "released")
    assert (config.name, config.data.name, config.data.protocols[0]) == (name, "coco", "first1k")
    assert (config.data.first_token, config.data.last_token, config.data.text_length) == ("[UNK]", "", 32)
    assert (model.vocab_size, model.region_dim, model.training) == (WORDS, REGION_DIM, False)

    layer = f"{bert}.encoder.layer.2."
    expected = {
        "text_embedding.word.weight": weights["encoder.embeddings.word_embeddings.weight"],
        "region_embedding.projection.weight": weights["fc.weight"].T,
        "region_embedding.norm.bias": weights["norm.bias"],
        "transformer.layers.2.key.weight": weights[layer + "attention.self.key.weight"].T,
        "transformer.layers.2.attention_norm.weight": weights[layer + "attention.output.LayerNorm.weight"],
        "transformer.layers.2.output.weight": weights[layer + "output.dense.weight"].T,
        "transformer.layers.2.output_norm.bias": weights[layer + "output.LayerNorm.bias"],
    }
    if codes:
        expected["codes.text"] = weights["poly_code_embeddings_t.weight"]
        expected["codes.image"] = weights["poly_code_embeddings_v.weight"]
    state = model.state_dict()
    for name, value in expected.items():
        np.testing.assert_array_equal(state[name].numpy(), value, err_msg=name)

    assert len(report) == len(weights)
    assert sum(" -> " in line for line in report) == len(state)
    assert not any("not known" in line for line in report)


def test_report_names_every_parameter(base_file):
    report = convert(base_file, "base").report
    assert (
        f"fc.weight ({HIDDEN}, {REGION_DIM}) -> region_embedding.projection.weight ({REGION_DIM}, {HIDDEN})" in report
    )
    unused = {line.split(" ")[0]: line for line in report if " unused: " in line}
    assert "a layer above those that run" in unused["encoder.encoder.layer.3.output.dense.weight"]
    assert "pooler" in unused["encoder.pooler.dense.bias"]
    assert "head" in unused["fc2.weight"] and "head" in unused["fc3.weight"]
    assert len(unused) == 9 * 16 + 2 + 4


def test_report_of_a_file_with_three_models(tmp_path):
    save_released(tmp_path / "file", {**weights_of("shrinktofast", codes=True), "buffer": np.zeros(1)})
    report = {line.split(" ")[0]: line for line in convert(tmp_path / "file", "shrinktofast").report}
    assert "another model" in report["encoder2.encoder.layer.0.output.dense.weight"]
    assert "another model" in report["encoder.encoder.layer.0.output.dense.weight"]
    assert "share the embeddings" in report["encoder3.embeddings.word_embeddings.weight"]
    assert "inflated model's codes" in report["poly_code_embeddings_v.weight"]
    assert "not known" in report["buffer"]


@pytest.mark.parametrize("layers", [1, 12])
def test_number_of_layers(base_file, layers):
    assert len(convert(base_file, "base", layers=layers).model.transformer.layers) == layers


def without(name):
    weights = weights_of("base", codes=False)
    del weights[name]
    return weights


@pytest.mark.parametrize(
    "weights, arguments, message",
    [
        (without("norm.bias"), {}, "has no 'norm.bias', which 'region_embedding.norm.bias' is read from"),
        ({**without("fc.weight"), "fc.weight": np.ones((3, 128))}, {}, "'fc.weight' has shape"),
        # 30 GiB of weights, were they made.
        (
            {**without("fc.bias"), "fc.bias": np.ones(1 << 14)},
            {},
            "has shape .* needs",
        ),
        ({**without("fc.bias"), "fc.bias": np.ones(0)}, {}, r"'fc.bias' has shape \(0,\), which holds no numbers"),
        (weights_of("base", False), dict(mode="inflate"), "has no 'poly_code_embeddings_t.weight'"),
        (weights_of("base", False), dict(mode="shrinktobase"), "has no 'encoder2.encoder.layer.0"),
        (weights_of("base", False), dict(layers=13), r"has no 'encoder.encoder.layer.12"),
        (weights_of("base", False), dict(layers=0), "'model.layers' must be 1 or more"),
        (
            weights_of("base", False),
            dict(mode="small"),
            "no released model 'small student'.* base student, fast student",
        ),
        (weights_of("base", False), dict(part="teacher"), "no released model 'base teacher'"),
    ],
)
def test_bad_input(weights, arguments, message, tmp_path):
    save_released(tmp_path / "file", weights)
    with pytest.raises(InputError, match=message):
        convert(tmp_path / "file", **{"mode": "base", **arguments})


def test_file_without_weights(tmp_path):
    for content in ({"state_dict": {}}, {"model": []}, {"model": {"a": 1}}, [1, 2], 7):
        save_zip(tmp_path / "file", content)
        with pytest.raises(InputError, match="file: not a released checkpoint"):
            convert(tmp_path / "file", "base")


@pytest.fixture
def tool(run_tool):
    """A function: arguments -> tools/convert_released.py run to its end."""
    return lambda *arguments: subprocess.CompletedProcess(arguments, *run_tool("convert_released", *arguments))


@pytest.fixture
def vocab(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n" + "".join(f"word{i}\n" for i in range(4, WORDS)))
    return path


@pytest.mark.slow
def test_tool_writes_a_checkpoint(tool, base_file, vocab, tmp_path):
    run = tool(base_file, "--mode", "base", "--vocab", vocab, "--out", tmp_path / "B", "--layers", 2)
    assert run.returncode == 0, run.stderr
    _, model, report = convert(base_file, "base", layers=2)
    assert run.stdout.splitlines()[:-1] == report
    checkpoint = open_checkpoint(tmp_path / "B")
    loaded = checkpoint.load_model()
    assert (loaded.config.layers, loaded.config.heads, loaded.config.ffn) == (2, 1, FFN)
    assert checkpoint.vocab_file.read_bytes() == vocab.read_bytes()
    assert checkpoint.tokenizer()(["word5 word7"])[0, :4].tolist() == [1, 5, 7, 0]  # [UNK] word5 word7, no [SEP]
    assert not (tmp_path / "B" / "train.pdopt").exists()
    for name, parameter in model.state_dict().items():
        np.testing.assert_array_equal(loaded.state_dict()[name].numpy(), parameter.numpy())


@pytest.mark.slow
def test_tool_and_bad_input(tool, base_file, vocab, tmp_path):
    short, damaged, existing = tmp_path / "short.txt", tmp_path / "damaged", tmp_path / "existing"
    short.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n")
    damaged.write_bytes(base_file.read_bytes()[:5000])
    existing.mkdir()
    before = set(tmp_path.rglob("*"))
    for checkpoint, vocabulary, first, out, message in (
        (base_file, vocab, "[UNK]", existing, f"{existing}: already exists"),
        (base_file, tmp_path / "nowhere.txt", "[UNK]", tmp_path / "B", "nowhere.txt: no such vocabulary file"),
        (
            base_file,
            short,
            "[UNK]",
            tmp_path / "B",
            f"short.txt: has 4 lines, but the word embeddings of the checkpoint are {WORDS}",
        ),
        (base_file, vocab, "[GO]", tmp_path / "B", "data.first_token: '[GO]' is not in"),
        (damaged, vocab, "[UNK]", tmp_path / "B", "damaged: truncated, or not a checkpoint"),
    ):
        run = tool(checkpoint, "--mode", "base", "--vocab", vocabulary, "--first-token", first, "--out", out)
        assert run.returncode == 2 and run.stdout == ""
        assert run.stderr.startswith("error: ") and run.stderr.count("\n") == 1 and message in run.stderr
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.slow
def test_tool_help(tool):
    run = tool("--help")
    assert run.returncode == 0 and "python tools/convert_released.py model_best.pth.tar --mode" in run.stdout
