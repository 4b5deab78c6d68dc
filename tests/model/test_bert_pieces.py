"""A BERT whose vocabulary is another: rows found by piece, and vectors of any pieces."""

from pathlib import Path

import numpy as np
import paddle
import pytest
from berts import PIECES, dual_encoder, edit, loaded

from inflate_shrink.errors import InputError
from inflate_shrink.model.pretrained import load_bert, piece_vectors


def test_rows_are_mapped_by_piece(saved, with_vocabulary):
    pieces = ["[PAD]", "[UNK]", "[SEP]", "[CLS]", "word39", "other", "word7"]
    model, table = dual_encoder(len(pieces)), loaded(saved)["text_embedding.word.weight"]
    drawn = model.text_embedding.word.weight.numpy()[5]
    report = load_bert(model, with_vocabulary(PIECES), pieces)
    rows = model.text_embedding.word.weight.numpy()
    np.testing.assert_array_equal(rows[[0, 1, 2, 3, 4, 6]], table[[0, 1, 3, 2, 39, 7]])
    np.testing.assert_array_equal(rows[5], drawn)
    assert report.endswith(
        "the lowest 2 of 4 layers, 6 of 40 word vectors by piece; it lacks 1 pieces, whose vectors are drawn"
    )
    assert load_bert(dual_encoder(), str(saved), PIECES).endswith("2 of 4 layers, 40 of 40 word vectors by number")


@pytest.mark.parametrize(
    "theirs, message",
    [
        (PIECES[:-1], "vocab.txt: 39 pieces, but its config says vocab_size 40; they are not of one BERT"),
        (PIECES[:4] + [f"other{n}" for n in range(36)], "its vocab.txt has no piece of the data's vocabulary"),
        (PIECES[1:], r"vocab.txt: expected one WordPiece a line, \[PAD\] first"),
    ],
)
def test_vocabulary_that_does_not_fit(with_vocabulary, theirs, message):
    with pytest.raises(InputError, match=message):
        load_bert(dual_encoder(), with_vocabulary(theirs), PIECES)


def test_vectors_of_pieces_are_the_mean_of_a_whole_berts_outputs(saved, with_vocabulary):
    source = with_vocabulary(PIECES)
    found = piece_vectors(source, ["word7", "##word9", "word7 word9"])
    model = dual_encoder(layers=4, codes=0)
    load_bert(model, source, PIECES)
    model.eval()
    for ids, vector in zip(([2, 7, 3], [2, 9, 3], [2, 7, 9, 3]), found):
        inputs = model.text_embedding(paddle.to_tensor([ids]))
        np.testing.assert_allclose(vector, model.transformer(*inputs).numpy()[0].mean(0), atol=1e-5)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"num_hidden_layers": 10**9}, "has layers 1000000000, which no model has"),
        ({"hidden_size": "32"}, "has hidden '32', which no model has"),
        ({"num_attention_heads": 5}, "has hidden size 32, no multiple of its heads"),
        ({"num_hidden_layers": 5}, "has no 'encoder.layers.4.self_attn.q_proj.weight'"),
        ({"intermediate_size": 64}, r"'encoder.layers.0.linear1.weight' has shape \(32, 48\)"),
        ({"hidden_size": 16384, "num_attention_heads": 4}, r"'embeddings.word_embeddings.weight' has shape \(40, 32\)"),
        ({"model_type": "roberta"}, "has model type 'roberta', expected 'bert'"),
    ],
)
def test_vectors_of_a_bert_whose_config_is_wrong(with_vocabulary, changes, message):
    source = with_vocabulary(PIECES)
    edit(Path(source) / "config.json", **changes)
    with pytest.raises(InputError, match=f"model.bert: .*{message}"):
        piece_vectors(source, ["word7"])


def test_vectors_need_the_vocabulary(saved):
    with pytest.raises(InputError, match="model.bert: .* has no vocab.txt"):
        piece_vectors(str(saved), ["word7"])
