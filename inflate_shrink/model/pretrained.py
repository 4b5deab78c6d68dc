"""Start from BERT: word embeddings and the lowest Transformer layers of a pretrained one."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path

from paddle import nn

from ..errors import InputError
from .encoder import DualEncoder
from .inputs import MAX_POSITIONS

DOWNLOADED = "bert-base-uncased"

_EMBEDDINGS = {  # ours -> paddlenlp's
    "word": "word_embeddings",
    "position": "position_embeddings",
    "token_type": "token_type_embeddings",
    "norm": "layer_norm",
}
_LAYER = {
    "query": "self_attn.q_proj",
    "key": "self_attn.k_proj",
    "value": "self_attn.v_proj",
    "attention_output": "self_attn.out_proj",
    "attention_norm": "norm1",
    "intermediate": "linear1",
    "output": "linear2",
    "output_norm": "norm2",
}


def load_bert(model: DualEncoder, source: str) -> None:
    """Fill the text embedding and all Transformer layers of ``model`` from the lowest layers of a BERT.

    The region projection and the codes stay as they are.

    Args:
        source: "bert-base-uncased", which paddlenlp downloads, or a directory that
            its ``save_pretrained`` wrote.

    Raises InputError if there is no such BERT, or if it has other sizes than ``model``.
    """
    if source != DOWNLOADED and not Path(source).is_dir():
        raise InputError(f"model.init: no such directory: {source}; give {DOWNLOADED} or a directory with a BERT's weights")
    from paddlenlp.transformers import BertModel  # seconds to import: only where it is needed

    try:
        bert = BertModel.from_pretrained(source)
    except Exception as error:  # no network, a full disk, damaged weights: each raises its own
        raise InputError(
            f"model.init: {source} could not be loaded ({type(error).__name__}: {error}); "
            "without network access, give a directory that paddlenlp's save_pretrained wrote"
        ) from None
    _check_sizes(model, bert.config, source)
    for ours, theirs in _EMBEDDINGS.items():
        _copy(getattr(bert.embeddings, theirs), getattr(model.text_embedding, ours))
    for layer, pretrained in zip(model.transformer.layers, bert.encoder.layers):
        for ours, theirs in _LAYER.items():
            _copy(attrgetter(theirs)(pretrained), getattr(layer, ours))


def _check_sizes(model: DualEncoder, bert, source: str) -> None:
    config = model.config
    for name, found, expected in (
        ("hidden size", bert.hidden_size, config.hidden),
        ("attention heads", bert.num_attention_heads, config.heads),
        ("ffn size", bert.intermediate_size, config.ffn),
        ("vocabulary size", bert.vocab_size, model.vocab_size),
    ):
        if found != expected:
            raise InputError(f"model.init: {source} has {name} {found}, the model {expected}; they must be equal")
    for name, found, expected in (
        ("layers", bert.num_hidden_layers, config.layers),
        ("positions", bert.max_position_embeddings, MAX_POSITIONS),
        ("token types", bert.type_vocab_size, 2),
    ):
        if found < expected:
            raise InputError(f"model.init: {source} has only {found} {name}, the model {expected}")


def _copy(pretrained: nn.Layer, layer: nn.Layer) -> None:
    weights = pretrained.state_dict()
    for name, parameter in layer.state_dict().items():
        parameter.set_value(weights[name][: len(parameter)])  # of positions and token types there may be more
