"""A small BERT of paddlenlp, as it lies on disk."""

import shutil

import paddle
import pytest
from berts import WORDS


@pytest.fixture(scope="module")
def bert_model():
    from paddlenlp.transformers import BertConfig, BertModel

    paddle.seed(0)
    bert = BertModel(
        BertConfig(vocab_size=WORDS, hidden_size=32, num_hidden_layers=4, num_attention_heads=4, intermediate_size=48)
    )
    for name, parameter in bert.named_parameters():  # as if trained: nothing is 0 or 1
        parameter.set_value(parameter + 0.1 * paddle.randn(parameter.shape))
    bert.eval()
    return bert


@pytest.fixture(scope="module")
def saved(bert_model, tmp_path_factory):
    directory = tmp_path_factory.mktemp("bert")
    bert_model.save_pretrained(str(directory))
    return directory


@pytest.fixture
def copy(saved, tmp_path):
    """A BERT of paddlenlp that a test may damage."""
    return shutil.copytree(saved, tmp_path / "bert")


@pytest.fixture
def with_vocabulary(copy):
    """A function: the BERT with a vocab.txt of these pieces."""

    def write(pieces):
        (copy / "vocab.txt").write_text("\n".join(pieces) + "\n")
        return str(copy)

    return write
