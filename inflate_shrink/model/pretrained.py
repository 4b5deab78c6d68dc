"""Start from BERT: word embeddings and the lowest Transformer layers of a pretrained one."""

from __future__ import annotations

from ..errors import InputError
from .encoder import DualEncoder
from .inputs import MAX_POSITIONS

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
            paddlenlp's ``save_pretrained`` wrote.

    Raises InputError if there is no such BERT, or if it has other sizes than ``model``.
    """
    from paddlenlp.transformers import BertModel  # seconds to import: only where it is needed

    try:
        bert = BertModel.from_pretrained(source)
    except Exception as error:  # no network, no such directory, damaged weights: each raises its own
        raise InputError(
            f"model.init {source}: no BERT could be loaded ({error}); "
            "it must be bert-base-uncased, which is downloaded, or a directory with its weights written by paddlenlp"
        ) from None
    _check_sizes(model, bert.config, source)
    ours, theirs = model.state_dict(), bert.state_dict()
    for name, parameter in ours.items():
        ...
