"""Starting from BERT: the text side is then the BERT of paddlenlp, cut after the model's layers."""

import collections
import json
import os
import pickle
from pathlib import Path

import numpy as np
import paddle
import pytest
from berts import PIECES, SIZES, WORDS, dual_encoder, edit, loaded

from inflate_shrink.data.text import CaptionTokenizer
from inflate_shrink.errors import InputError
from inflate_shrink.model.pretrained import load_bert
from inflate_shrink.weight_files.safetensors_file import write_safetensors
from released_files import contiguous, save_legacy, save_zip


@pytest.mark.slow
def test_hidden_states_are_those_of_paddlenlp(bert_model, saved):
    model = dual_encoder()
    model.eval()
    load_bert(model, str(saved), PIECES)
    ids = paddle.to_tensor([[2, 5, 7, 3, 0, 0], [2, 9, 39, 11, 12, 3]])
    mask = (ids != 0).astype("float32")

    states = [model.text_embedding(ids).vectors]
    for layer in model.transformer.layers:
        states.append(layer(states[-1], ((1 - mask) * -1e4).unsqueeze([1, 2])))
    expected = bert_model(ids, attention_mask=mask, output_hidden_states=True, return_dict=True).hidden_states

    assert len(states) == SIZES["layers"] + 1
    for ours, theirs in zip(states, expected):  # the embedding, then layer after layer
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-5)
    np.testing.assert_array_equal(model.transformer(states[0], mask).numpy(), states[-1].numpy())


def test_only_what_bert_has_is_filled(saved):
    model = dual_encoder()
    before = {name: parameter.numpy() for name, parameter in model.state_dict().items()}
    load_bert(model, str(saved), PIECES)
    kept = {name for name, parameter in model.state_dict().items() if (parameter.numpy() == before[name]).all()}
    assert kept == {name for name in before if name.startswith(("region_embedding.", "codes."))}


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(hidden=64), "hidden size 32, the model 64"),
        (dict(heads=2), "attention heads 4, the model 2"),
        (dict(ffn=64), "ffn size 48, the model 64; set model.ffn to it"),
        (dict(vocab_size=50), "vocabulary size 40, the model 50"),
        (dict(layers=5), "only 4 layers, the model 5"),
    ],
)
def test_other_sizes_are_refused(saved, changes, message):
    with pytest.raises(InputError, match=message):
        load_bert(dual_encoder(**changes), str(saved), PIECES)


def test_missing_directory(tmp_path):
    with pytest.raises(InputError, match="no such directory: .*nowhere"):
        load_bert(dual_encoder(), str(tmp_path / "nowhere"), PIECES)


def test_a_row_that_is_to_be_trained_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="train it first: python tools/train.py -c configs/demo.yaml:start"):
        load_bert(dual_encoder(), "runs/demo/start", PIECES)


def assert_same(ours, expected):
    assert ours.keys() == expected.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], expected[name], err_msg=name)


_HUGGING_FACE = {  # paddlenlp -> Hugging Face
    "encoder.layers": "encoder.layer",
    "self_attn.q_proj": "attention.self.query",
    "self_attn.k_proj": "attention.self.key",
    "self_attn.v_proj": "attention.self.value",
    "self_attn.out_proj": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "linear1": "intermediate.dense",
    "linear2": "output.dense",
    "norm2": "output.LayerNorm",
    "embeddings.layer_norm": "embeddings.LayerNorm",
}


@pytest.fixture(scope="module")
def hugging_face(bert_model):
    """The same BERT's arrays as Hugging Face has them."""
    arrays = {}
    for name, parameter in bert_model.state_dict().items():
        value = parameter.numpy()
        value = value.T if name.startswith("encoder.") and value.ndim == 2 else value
        for theirs, ours in _HUGGING_FACE.items():
            name = name.replace(theirs, ours)
        arrays[name] = np.ascontiguousarray(value)
    return arrays


def save_hugging_face(directory, arrays, form="safetensors"):
    directory.mkdir()
    config = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "vocab_size": WORDS,
        "hidden_size": 32,
        "num_hidden_layers": 4,
    }
    config |= {"num_attention_heads": 4, "intermediate_size": 48, "max_position_embeddings": 512, "type_vocab_size": 2}
    (directory / "config.json").write_text(json.dumps(config))
    if form == "safetensors":
        write_safetensors(directory / "model.safetensors", arrays, {"format": "pt"})
    else:
        state = collections.OrderedDict((name, contiguous(array)) for name, array in arrays.items())
        {"zip": save_zip, "legacy": save_legacy}[form](directory / "pytorch_model.bin", state)
    return directory


@pytest.mark.parametrize("form", ["safetensors", "zip", "legacy"])
@pytest.mark.parametrize("prefix, old", [("", False), ("bert.", True)])
def test_hugging_face_directory(saved, hugging_face, tmp_path, form, prefix, old):
    arrays = {prefix + name: array for name, array in hugging_face.items()}
    if old:
        arrays = {
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): array
            for name, array in arrays.items()
        }
        arrays["cls.predictions.bias"] = np.zeros(WORDS, "float32")
    assert_same(loaded(save_hugging_face(tmp_path / "bert", arrays, form)), loaded(saved))


def test_half_precision(saved, hugging_face, tmp_path):
    halves = {name: array.astype("float16") for name, array in hugging_face.items()}
    ours = loaded(save_hugging_face(tmp_path / "bert", halves))
    assert {array.dtype for array in ours.values()} == {np.dtype("float32")}
    assert_same(
        {name: array.astype("float16") for name, array in ours.items()},
        {name: array.astype("float16") for name, array in loaded(saved).items()},
    )


def test_paddlenlp_of_other_versions(saved, bert_model, copy):
    """With its sizes in model_config.json, and in safetensors."""
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").unlink()
    (copy / "model_config.json").write_text(
        json.dumps({"init_args": [{**config, "init_class": "BertModel"}], "init_class": "BertForPretraining"})
    )
    arrays = {f"bert.{name}": parameter.numpy() for name, parameter in bert_model.state_dict().items()}
    assert_same(loaded(copy), loaded(saved))
    (copy / "model_state.pdparams").unlink()
    write_safetensors(copy / "model.safetensors", arrays, {"format": "pd"})
    assert_same(loaded(copy), loaded(saved))


@pytest.mark.parametrize("key, value, message", [
    ("model_type", "roberta", "has model type 'roberta', expected 'bert'"),
    ("hidden_act", "relu", "has activation 'relu', expected 'gelu'"),
    ("position_embedding_type", "relative_key", "has position embedding 'relative_key'"),
    ("hidden_size", None, "has hidden size None, the model 32"),
    ("max_position_embeddings", 128, "has only 128 positions, the model 512"),
    ("num_hidden_layers", "12", "has only 12 layers"),
])  # fmt: skip
def test_config_of_another_model(copy, key, value, message):
    edit(copy / "config.json", **{key: value})
    with pytest.raises(InputError, match=f"model.init: .*{message}"):
        load_bert(dual_encoder(), str(copy), PIECES)


def test_config_and_weights_that_are_not_of_one_model(hugging_face, tmp_path):
    name = "encoder.layer.1.attention.self.key.weight"
    for number, (change, message) in enumerate((
        ({name: None}, f"has no '{name}', which 'transformer.layers.1.key.weight' is read from"),
        ({name: np.zeros((32, 48), "float32")}, rf"'{name}' has shape \(32, 48\), 'transformer.layers.1.key.weight' needs \(32, 32\)"),
        ({"embeddings.position_embeddings.weight": np.zeros((128, 32), "float32")}, r"position_embeddings.weight' has shape \(128, 32\)"),
        ({"embeddings.position_embeddings.weight": np.array(1.0)}, r"position_embeddings.weight' has shape \(\)"),
    )):  # fmt: skip
        arrays = {key: array for key, array in {**hugging_face, **change}.items() if array is not None}
        with pytest.raises(InputError, match=message):
            load_bert(dual_encoder(), str(save_hugging_face(tmp_path / str(number), arrays)), PIECES)


@pytest.mark.parametrize("name", ["config.json", "model_state.pdparams"])
@pytest.mark.parametrize("content", [None, b"", b"[1]", b"\x80\x02Nr\xff\xff\xff\x7f."])
def test_damaged_file(copy, name, content):
    (copy / name).unlink() if content is None else (copy / name).write_bytes(content)
    with pytest.raises(InputError, match="has no weights|has no config.json|damaged") as caught:
        load_bert(dual_encoder(), str(copy), PIECES)
    assert "\n" not in str(caught.value)


def test_truncated_weights(copy, hugging_face, tmp_path):
    directories = [
        copy,
        *(save_hugging_face(tmp_path / form, hugging_face, form) for form in ("safetensors", "zip", "legacy")),
    ]
    for directory in directories:
        weights = max(directory.iterdir(), key=lambda path: path.stat().st_size)
        weights.write_bytes(weights.read_bytes()[:-1000])
        with pytest.raises(InputError, match=f"{weights.name}: (damaged|truncated)"):
            load_bert(dual_encoder(), str(directory), PIECES)


@pytest.mark.parametrize("name", ["model_state.pdparams", "pytorch_model.bin"])
def test_nothing_in_a_bert_runs(saved, copy, tmp_path, name):
    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'trap'}",)

    (copy / "model_state.pdparams").unlink()
    (copy / name).write_bytes(pickle.dumps({"embeddings.word_embeddings.weight": Evil()}))
    with pytest.raises(InputError, match=f"{name}"):
        load_bert(dual_encoder(), str(copy), PIECES)
    assert not (tmp_path / "trap").exists()


def test_weights_that_are_no_numbers(hugging_face, tmp_path):
    arrays = {name: array.copy() for name, array in hugging_face.items()}
    arrays["encoder.layer.1.output.dense.bias"][3] = np.nan
    with pytest.raises(InputError, match="'encoder.layer.1.output.dense.bias' holds NaN or infinity"):
        load_bert(dual_encoder(), str(save_hugging_face(tmp_path / "bert", arrays)), PIECES)


def test_download(monkeypatch, copy):
    """By paddlenlp's downloader; what it brings is read by us."""
    from paddlenlp.transformers.bert import configuration
    from paddlenlp.utils import download

    asked, sizes = [], json.loads((copy / "config.json").read_text())
    monkeypatch.setitem(configuration.BERT_PRETRAINED_INIT_CONFIGURATION, "bert-base-uncased", sizes)
    monkeypatch.setattr(
        download,
        "resolve_file_path",
        lambda name, urls: asked.append((name, urls)) or str(copy / "model_state.pdparams"),
    )
    assert_same(loaded("bert-base-uncased"), loaded(copy))
    assert asked == [
        ("bert-base-uncased", ["https://bj.bcebos.com/paddlenlp/models/transformers/bert-base-uncased.pdparams"])
    ]


def test_failed_download(monkeypatch):
    from paddlenlp.utils import download

    def no_network(name, urls):
        raise OSError("Can't reach the server")

    monkeypatch.setattr(download, "resolve_file_path", no_network)
    with pytest.raises(InputError, match="bert-base-uncased could not be loaded .*Can't reach the server"):
        load_bert(dual_encoder(), "bert-base-uncased", PIECES)


MINILM = Path(__file__).resolve().parents[3] / "shared" / "weights" / "minilm_l6_h384_uncased"


@pytest.mark.slow
@pytest.mark.skipif(not MINILM.is_dir(), reason=f"no {MINILM.name} in {MINILM.parent}")
def test_a_real_one_tells_what_sentences_mean():
    config = dict(hidden=384, layers=6, heads=12, ffn=1536, codes=0)
    model = dual_encoder(vocab_size=30522, **config)
    tokenizer = CaptionTokenizer(MINILM / "vocab.txt", 16)
    load_bert(model, str(MINILM), tokenizer.pieces)
    model.eval()
    ids = tokenizer(["a dog runs through the park", "a puppy is running outside", "the bank raised its interest rates"])
    with paddle.no_grad():
        words, mask = model.text_embedding(paddle.to_tensor(ids))
        outputs = model.transformer(words, mask).numpy() * mask.numpy()[..., None]
    vectors = outputs.sum(1) / np.linalg.norm(outputs.sum(1), axis=1, keepdims=True)
    cosines = vectors @ vectors.T
    assert cosines[0, 1] > 0.5 and abs(cosines[:2, 2]).max() < 0.15
