"""Starting from BERT: the text side is then the BERT of paddlenlp, cut after the model's layers."""

import shutil

import numpy as np
import paddle
import pytest

from inflate_shrink.config import ModelConfig
from inflate_shrink.errors import InputError
from inflate_shrink.model.encoder import DualEncoder
from inflate_shrink.model.pretrained import load_bert

SIZES = dict(hidden=32, layers=2, heads=4, ffn=48)
WORDS = 40


def dual_encoder(vocab_size=WORDS, **changes):
    return DualEncoder(ModelConfig(**{**SIZES, "codes": 2, **changes}), vocab_size, region_dim=8)


@pytest.fixture(scope="module")
def bert_model():
    from paddlenlp.transformers import BertConfig, BertModel

    paddle.seed(0)
    bert = BertModel(BertConfig(vocab_size=WORDS, hidden_size=32, num_hidden_layers=4, num_attention_heads=4, intermediate_size=48))
    for name, parameter in bert.named_parameters():  # as if trained: nothing is 0 or 1
        parameter.set_value(parameter + 0.1 * paddle.randn(parameter.shape))
    bert.eval()
    return bert


@pytest.fixture(scope="module")
def saved(bert_model, tmp_path_factory):
    directory = tmp_path_factory.mktemp("bert")
    bert_model.save_pretrained(str(directory))
    return directory


def test_hidden_states_are_those_of_paddlenlp(bert_model, saved):
    model = dual_encoder()
    model.eval()
    load_bert(model, str(saved))
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
    load_bert(model, str(saved))
    kept = {name for name, parameter in model.state_dict().items() if (parameter.numpy() == before[name]).all()}
    assert kept == {name for name in before if name.startswith(("region_embedding.", "codes."))}


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(hidden=64), "hidden size 32, the model 64"),
        (dict(heads=2), "attention heads 4, the model 2"),
        (dict(ffn=64), "ffn size 48, the model 64"),
        (dict(vocab_size=50), "vocabulary size 40, the model 50"),
        (dict(layers=5), "only 4 layers, the model 5"),
    ],
)
def test_other_sizes_are_refused(saved, changes, message):
    with pytest.raises(InputError, match=message):
        load_bert(dual_encoder(**changes), str(saved))


def test_missing_directory(tmp_path):
    with pytest.raises(InputError, match="no such directory: .*nowhere"):
        load_bert(dual_encoder(), str(tmp_path / "nowhere"))


def test_damaged_weights(saved, tmp_path):
    copy = shutil.copytree(saved, tmp_path / "bert")
    weights = copy / "model_state.pdparams"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match="could not be loaded"):
        load_bert(dual_encoder(), str(copy))


def test_failed_download(monkeypatch, tmp_path):
    from paddlenlp.transformers import BertModel

    def no_network(source):
        raise OSError("Can't reach the server")

    monkeypatch.setattr(BertModel, "from_pretrained", no_network)
    with pytest.raises(InputError, match="bert-base-uncased could not be loaded .*Can't reach the server"):
        load_bert(dual_encoder(), "bert-base-uncased")
