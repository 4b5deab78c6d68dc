"""Which region each word of a query chose, of the fragments that an index stores: no checkpoint is needed."""

from __future__ import annotations

from ..search.stages import FRAGMENTS
from ..search.sweep import Sweep
from ..visualize.choices import Choice, choose
from ..visualize.labels import Labels, image_labels, is_quiet, text_labels
from ..visualize.photo import scaled_boxes
from .collection import OpenIndex
from .refusal import Refusal


def can_match(index: OpenIndex) -> bool:
    """Return whether words choose regions in an index: one of images, with more than one fragment each."""
    codes, fragments = index.model.get("codes"), index.model.get("fragments")
    return (
        index.holds == "images"
        and isinstance(codes, int)
        and (fragments == "all" or isinstance(fragments, int) and fragments > 1)
    )


def match(index: OpenIndex, item: str, query: str) -> dict:
    """Return the values of :class:`.messages.MatchTold`.

    Raises:
        Refusal: no word chooses a region in such an index, it has no such image, or the query is empty.
    """
    if not can_match(index):
        raise Refusal(404, "words choose regions in an index of images with several fragments each; pick such a way")
    if not query.strip():
        raise Refusal(422, "query: it is empty; give it words")
    if index.file_of(item) is None:
        raise Refusal(404, f"the index holds no image {item!r}; ask for one that a search found")
    text, _ = index.searcher.encode(query, "exact")
    sweep = Sweep(index.searcher.index)
    image = sweep.fragments(FRAGMENTS, int(sweep.numbers([item])[0]))
    of_text = _kept(
        index, text_labels(index.searcher.tokenizer([query])[0], index.searcher.tokenizer, index.model["codes"])
    )
    regions, of_image, size, boxes = _regions(index, item, len(image))
    cosines = text @ image.T
    words = sum(label is None or not label.startswith("code ") for label in of_text)
    found = choose(cosines, of_text, of_image, words, regions, float(cosines.max(1).sum()))
    return {
        "width": size[0],
        "height": size[1],
        "words": list(map(_told, found.words)),
        "codes": list(map(_told, found.codes)),
        "padding": found.padding,
        "score": found.score,
        "boxes": boxes,
        "regions": regions,
    }


def _kept(index: OpenIndex, labels: Labels) -> Labels:
    """Return the labels of the fragments that the model keeps: those that count alone, where padding is masked."""
    kept = labels if index.model["fragments"] == "all" else labels[: index.model["fragments"]]
    return [label for label in kept if label is not None] if index.model.get("score_padding") == "masked" else kept


def _regions(index: OpenIndex, item: str, stored: int) -> tuple[int, Labels, tuple[float, float], list[list[float]]]:
    """Return how many of an image's stored fragments are of regions, their labels, its size, and boxes if known."""
    found = index.row_of(item)
    if found is not None:
        store, row = found[0].store, found[1]
        count = int(store.region_counts[row])
        labels = _kept(index, image_labels(count, store.regions.shape[1], index.model["codes"]))
        if len(labels) == stored:
            width, height, boxes = scaled_boxes(store, row)
            return count, labels, (width, height), boxes.tolist() if boxes.any() else []
    count = max(stored - index.model["codes"], 1)  # where nothing is padding
    return count, image_labels(count, count, stored - count), (0.0, 0.0), []


def _told(choice: Choice) -> dict:
    return {"text": choice.text, "region": choice.region, "cosine": choice.cosine, "quiet": is_quiet(choice.text)}
