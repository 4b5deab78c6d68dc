"""Start from BERT: word embeddings and the lowest Transformer layers of a pretrained one (:mod:`.bert_files`)."""

from __future__ import annotations

from pathlib import Path
from typing import Mapping, Sequence

import numpy as np
import paddle

from ..config import ModelConfig
from ..config.schema import KEYS, out_of_range
from ..data.text import CaptionTokenizer
from ..data.vocabulary import SPECIAL_TOKENS
from ..errors import InputError
from .bert_files import VOCABULARY, Bert, find_bert, read_weights, their_names
from .encoder import DualEncoder
from .inputs import MAX_POSITIONS
from .parameter_shapes import parameter_shapes

_BATCH = 256
_PIECE_LENGTH = 16  # WordPieces that a piece of another vocabulary may have, with [CLS] and [SEP]
_SIZES = (  # name, key of theirs, key of ours
    ("hidden size", "hidden_size", "hidden"),
    ("attention heads", "num_attention_heads", "heads"),
    ("ffn size", "intermediate_size", "ffn"),
)
_TABLE = "text_embedding.word.weight"


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
    bert = find_bert(source, "model.init")
    _check_kind(bert)
    for name, key, ours in _SIZES:
        if bert.config.get(key) != getattr(model.config, ours):
            problem = f"has {name} {bert.config.get(key)}, the model {getattr(model.config, ours)}"
            raise InputError(f"model.init: {source} {problem}; set model.{ours} to it")
    size = bert.config.get("vocab_size")
    if not bert.pieces and size != model.vocab_size:
        problem = f"has vocabulary size {size}, the model {model.vocab_size}"
        raise InputError(f"model.init: {source} {problem}; put its {VOCABULARY} there, to map them piece by piece")
    arrays, rows = _arrays(bert, model.config), _rows(pieces, bert)
    known, table = rows >= 0, model.text_embedding.word.weight.numpy()
    table[known] = arrays[_TABLE][rows[known]]
    _fill(model, {**arrays, _TABLE: table})
    layers = f"the lowest {model.config.layers} of {bert.config['num_hidden_layers']} layers"
    vectors = f"{known.sum()} of {size} word vectors by {'piece' if bert.pieces else 'number'}"
    drawn = f"; it lacks {(~known).sum()} pieces, whose vectors are drawn" if not known.all() else ""
    return f"start from {source}: {layers}, {vectors}{drawn}"


def piece_vectors(source: str, pieces: Sequence[str]) -> np.ndarray:
    """Return a BERT's mean output of each piece read alone, (n, h) float32: near for pieces that mean the like.

    Args:
        source: a directory with a BERT of any sizes, as :func:`load_bert` takes it, and with ``vocab.txt``.
        pieces: of any vocabulary.

    Raises InputError if there is no such BERT, or if it is damaged.
    """
    bert = find_bert(source, "model.bert")
    if not bert.pieces:
        raise InputError(f"model.bert: {source} has no {VOCABULARY}; put the BERT's own there")
    _check_kind(bert)
    config = _own_config(bert)
    arrays = _arrays(bert, config)  # its shapes are checked before the model takes memory
    model = DualEncoder(config, len(bert.pieces), region_dim=1)
    _fill(model, arrays)
    model.eval()
    ids, found = CaptionTokenizer(Path(source) / VOCABULARY, _PIECE_LENGTH)([_bare(piece) for piece in pieces]), []
    for start in range(0, len(ids), _BATCH):
        with paddle.no_grad():
            vectors, mask = model.text_embedding(paddle.to_tensor(ids[start : start + _BATCH]))
            sums = paddle.matmul(mask.unsqueeze(1), model.transformer(vectors, mask)).squeeze(1)
            found.append((sums / mask.sum(1, keepdim=True)).numpy())
    return np.concatenate(found)


def _bare(piece: str) -> str:
    return piece[2:] if piece.startswith("##") and len(piece) > 2 else piece


def _fill(model: DualEncoder, arrays: Mapping[str, np.ndarray]) -> None:
    parameters = model.state_dict()
    for name, value in arrays.items():
        parameters[name].set_value(paddle.to_tensor(value.astype("float32")))


def _rows(pieces: Sequence[str], bert: Bert) -> np.ndarray:
    """Return the row of each piece in a BERT's word table, (V,) int, -1 where it has none."""
    if not bert.pieces:
        return np.arange(len(pieces))
    number = {piece: row for row, piece in reversed(list(enumerate(bert.pieces)))}  # of a piece listed twice the first
    rows = np.array([number.get(piece, -1) for piece in pieces])
    if all(row < 0 for piece, row in zip(pieces, rows) if piece not in SPECIAL_TOKENS):
        way = "make the data set with it (tools/prepare_data.py --vocab)"
        raise InputError(f"{bert.key}: {bert.source}: its {VOCABULARY} has no piece of the data's vocabulary; {way}")
    return rows


def _check_kind(bert: Bert) -> None:
    for name, key, expected in (
        ("model type", "model_type", "bert"),
        ("activation", "hidden_act", "gelu"),
        ("position embedding", "position_embedding_type", "absolute"),
    ):
        if bert.config.get(key, expected) != expected:
            problem = f"has {name} {bert.config[key]!r}, expected {expected!r}: it is no BERT, or one of another kind"
            raise InputError(f"{bert.key}: {bert.source} {problem}")
    size = bert.config.get("vocab_size")
    if bert.pieces and size != len(bert.pieces):
        problem = f"{len(bert.pieces)} pieces, but its config says vocab_size {size!r}; they are not of one BERT"
        raise InputError(f"{bert.key}: {Path(bert.source) / VOCABULARY}: {problem}")


def _own_config(bert: Bert) -> ModelConfig:
    """Return the config of a model that is a whole BERT; raise InputError if its sizes are none of a model."""
    sizes = {ours: bert.config.get(key) for _, key, ours in (*_SIZES, ("layers", "num_hidden_layers", "layers"))}
    for ours, value in sizes.items():
        if type(value) is not int or out_of_range(KEYS[f"model.{ours}"], value):
            raise InputError(
                f"{bert.key}: {bert.source} has {ours} {value!r}, which no model has: its config is damaged"
            )
    if sizes["hidden"] % sizes["heads"]:
        raise InputError(f"{bert.key}: {bert.source} has hidden size {sizes['hidden']}, no multiple of its heads")
    return ModelConfig(**sizes)


def _arrays(bert: Bert, config: ModelConfig) -> dict[str, np.ndarray]:
    """Return our names of the parameters that a BERT has -> its arrays as we have them; the word table is whole."""
    for name, key, expected in (
        ("layers", "num_hidden_layers", config.layers),
        ("positions", "max_position_embeddings", MAX_POSITIONS),
        ("token types", "type_vocab_size", 2),
    ):
        count = bert.config.get(key)
        if not isinstance(count, int) or count < expected:
            raise InputError(f"{bert.key}: {bert.source} has only {count} {name}, the model {expected}")
    weights = read_weights(bert)
    names, transposed = their_names(weights, config.layers)
    found = {}
    for name, shape in parameter_shapes(config, bert.config["vocab_size"], region_dim=1).items():
        ours, _, kind = name.rpartition(".")
        if ours not in names:
            continue
        theirs = f"{names[ours]}.{kind}"
        if theirs not in weights:
            problem = f"has no '{theirs}', which '{name}' is read from; it is not the BERT that its config tells of"
            raise InputError(f"{bert.key}: {bert.file} {problem}")
        value = weights[theirs].T if transposed and name.startswith("transformer.") else weights[theirs]
        more = ours in ("text_embedding.position", "text_embedding.token_type") and value.ndim
        rows = value[: shape[0]] if more else value
        if list(rows.shape) != shape:
            problem = f"'{theirs}' has shape {weights[theirs].shape}, '{name}' needs {tuple(shape)}"
            raise InputError(f"{bert.key}: {bert.file}: {problem}")
        if not np.isfinite(rows).all():
            raise InputError(f"{bert.key}: {bert.file}: '{theirs}' holds NaN or infinity: it is damaged")
        found[name] = rows
    return found
