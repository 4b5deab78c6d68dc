"""Start from BERT: word embeddings and the lowest Transformer layers of a pretrained one (:mod:`.bert_files`)."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import numpy as np
import paddle

from ..data.vocabulary import SPECIAL_TOKENS
from ..errors import InputError
from .bert_files import VOCABULARY, Bert, find_bert, read_weights
from .encoder import DualEncoder
from .inputs import MAX_POSITIONS

_TABLE = "text_embedding.word.weight"

_EMBEDDINGS = {  # ours -> theirs
    "word": "word_embeddings",
    "position": "position_embeddings",
    "token_type": "token_type_embeddings",
}
_PADDLENLP = {
    "query": "self_attn.q_proj",
    "key": "self_attn.k_proj",
    "value": "self_attn.v_proj",
    "attention_output": "self_attn.out_proj",
    "attention_norm": "norm1",
    "intermediate": "linear1",
    "output": "linear2",
    "output_norm": "norm2",
}
_HUGGING_FACE = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attention_output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "intermediate": "intermediate.dense",
    "output": "output.dense",
    "output_norm": "output.LayerNorm",
}


def load_bert(model: DualEncoder, source: str, pieces: Sequence[str]) -> str:
    """Fill the text embedding and all Transformer layers of ``model`` from the lowest layers of a BERT.

    The region projection and the codes stay as they are, and so does the row of a piece that the BERT has not.

    Args:
        source: "bert-base-uncased", which paddlenlp downloads, or a directory that paddlenlp's or
            Hugging Face's ``save_pretrained`` wrote.
        pieces: the model's vocabulary. Rows are found by piece where ``source`` has a ``vocab.txt``, else by number.

    Returns one line for the log: what was loaded, and what was left.

    Raises InputError if there is no such BERT, if it is damaged, or if it has other sizes than ``model``.
    """
    bert = find_bert(source)
    _check_sizes(model, bert)
    found, rows = _ours(model, bert), _rows(pieces, bert)
    known = rows >= 0
    table = model.text_embedding.word.weight.numpy()
    table[known] = found[_TABLE][rows[known]]
    for name, value in {**found, _TABLE: table}.items():
        model.state_dict()[name].set_value(paddle.to_tensor(value.astype("float32")))
    layers = f"the lowest {model.config.layers} of {bert.config['num_hidden_layers']} layers"
    vectors = f"{known.sum()} of {bert.config['vocab_size']} word vectors by {'piece' if bert.pieces else 'number'}"
    drawn = f"; it lacks {(~known).sum()} pieces, whose vectors are drawn" if not known.all() else ""
    return f"start from {source}: {layers}, {vectors}{drawn}"


def _rows(pieces: Sequence[str], bert: Bert) -> np.ndarray:
    """Return the row of each piece in a BERT's word table, (V,) int, -1 where it has none."""
    if not bert.pieces:
        return np.arange(len(pieces))
    number = {piece: row for row, piece in reversed(list(enumerate(bert.pieces)))}  # of a piece listed twice the first
    rows = np.array([number.get(piece, -1) for piece in pieces])
    if all(row < 0 for piece, row in zip(pieces, rows) if piece not in SPECIAL_TOKENS):
        way = "make the data set with it (tools/prepare_data.py --vocab)"
        raise InputError(f"model.init: {bert.source}: its {VOCABULARY} has no piece of the data's vocabulary; {way}")
    return rows


def _check_sizes(model: DualEncoder, bert: Bert) -> None:
    config, sizes = model.config, bert.config
    for name, key, expected in (
        ("model type", "model_type", "bert"),
        ("activation", "hidden_act", "gelu"),
        ("position embedding", "position_embedding_type", "absolute"),
    ):
        if sizes.get(key, expected) != expected:
            problem = f"has {name} {sizes[key]!r}, expected {expected!r}: it is no BERT, or one of another kind"
            raise InputError(f"model.init: {bert.source} {problem}")
    for name, key, ours in (
        ("hidden size", "hidden_size", "hidden"),
        ("attention heads", "num_attention_heads", "heads"),
        ("ffn size", "intermediate_size", "ffn"),
    ):
        if sizes.get(key) != getattr(config, ours):
            problem = f"has {name} {sizes.get(key)}, the model {getattr(config, ours)}; set model.{ours} to it"
            raise InputError(f"model.init: {bert.source} {problem}")
    if bert.pieces and sizes.get("vocab_size") != len(bert.pieces):
        problem = f"{len(bert.pieces)} pieces, but its config says vocab_size {sizes.get('vocab_size')!r}"
        raise InputError(f"model.init: {Path(bert.source) / VOCABULARY}: {problem}; they are not of one BERT")
    if not bert.pieces and sizes.get("vocab_size") != model.vocab_size:
        problem = f"has vocabulary size {sizes.get('vocab_size')}, the model {model.vocab_size}"
        raise InputError(f"model.init: {bert.source} {problem}; put its {VOCABULARY} there, to map them piece by piece")
    for name, key, expected in (
        ("layers", "num_hidden_layers", config.layers),
        ("positions", "max_position_embeddings", MAX_POSITIONS),
        ("token types", "type_vocab_size", 2),
    ):
        found = sizes.get(key)
        if not isinstance(found, int) or found < expected:
            raise InputError(f"model.init: {bert.source} has only {found} {name}, the model {expected}")


def _ours(model: DualEncoder, bert: Bert) -> dict[str, np.ndarray]:
    """Return our names of the parameters that a BERT has -> its arrays, as we have them, but its whole word table."""
    weights, file = read_weights(bert.file), bert.file
    torch = any(".attention.self." in name for name in weights)  # its Linear weights are (out, in), Paddle's (in, out)
    names = {f"text_embedding.{ours}": f"embeddings.{theirs}" for ours, theirs in _EMBEDDINGS.items()}
    names["text_embedding.norm"] = "embeddings.LayerNorm" if torch else "embeddings.layer_norm"
    for number in range(model.config.layers):
        for ours, theirs in (_HUGGING_FACE if torch else _PADDLENLP).items():
            names[f"transformer.layers.{number}.{ours}"] = f"encoder.{'layer' if torch else 'layers'}.{number}.{theirs}"
    found = {}
    for name, parameter in model.state_dict().items():
        ours, _, kind = name.rpartition(".")
        if ours not in names:
            continue
        theirs = f"{names[ours]}.{kind}"
        if theirs not in weights:
            problem = f"has no '{theirs}', which '{name}' is read from; it is not the BERT that its config tells of"
            raise InputError(f"model.init: {file} {problem}")
        value = weights[theirs].T if torch and name.startswith("transformer.") else weights[theirs]
        more = ours in ("text_embedding.position", "text_embedding.token_type") and value.ndim
        rows = value[: len(parameter)] if more else value
        shape = (bert.config["vocab_size"], *parameter.shape[1:]) if name == _TABLE else tuple(parameter.shape)
        if rows.shape != shape:
            problem = f"'{theirs}' has shape {weights[theirs].shape}, '{name}' needs {shape}"
            raise InputError(f"model.init: {file}: {problem}")
        if not np.isfinite(rows).all():
            raise InputError(f"model.init: {file}: '{theirs}' holds NaN or infinity: it is damaged")
        found[name] = rows
    return found
