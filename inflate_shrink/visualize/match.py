"""Which image fragment each text fragment chose: the maxima that late interaction sums (Eq. 5)."""

from __future__ import annotations

import numpy as np
import paddle

from ..config import Config
from ..data.store import Store
from ..engine.encode import encode_images, encode_texts
from ..errors import InputError
from ..model.encoder import DualEncoder
from ..scoring import late_interaction
from .choices import Match, choose
from .labels import Labels


def require_choices(config: Config, where: object) -> None:
    """Raise InputError for a model in which no word chooses a region; ``where`` is its checkpoint."""
    if config.model.scoring != "late_interaction":
        raise InputError(
            f"{where}: its model.scoring is {config.model.scoring}; words choose regions in late_interaction only"
        )
    if config.model.fragments == 1:
        raise InputError(
            f"{where}: its model has one fragment a side, so its words have nothing to choose from; "
            "give one with more, such as B or I"
        )


def match(
    model: DualEncoder,
    ids: np.ndarray,
    regions: np.ndarray,
    counts: np.ndarray,
    text_labels: Labels,
    image_labels: Labels,
) -> Match:
    """Find the choices of one text, ids (1, n), in one image, regions (1, m, D) and counts (1,).

    Args:
        text_labels, image_labels: of all input positions, None for padding; the model may keep fewer of them.
    """
    with paddle.no_grad():
        text = model.encode_text(paddle.to_tensor(ids))
        image = model.encode_image(paddle.to_tensor(regions), paddle.to_tensor(counts))
        cosines = (text.vectors[0] @ image.vectors[0].t()).numpy()
        score = late_interaction(text, image).item()
    if image.mask is not None:
        cosines[:, image.mask[0].numpy() == 0] = -np.inf
    return choose(cosines, text_labels, image_labels, ids.shape[1], int(counts[0]), score)


def best_image(model: DualEncoder, store: Store, ids: np.ndarray, rows: np.ndarray) -> int:
    """Return the row of the store, among ``rows``, whose image scores best with the text ids (1, n)."""
    scores = late_interaction(encode_texts(model, ids), encode_images(model, store, rows))
    return int(rows[scores.numpy()[:, 0].argmax()])
