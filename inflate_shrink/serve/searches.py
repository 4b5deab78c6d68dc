"""A search and what is told of it."""

from __future__ import annotations

import time
from typing import Callable, NamedTuple, Sequence
from urllib.parse import quote

import numpy as np

from ..errors import InputError
from ..search.ranking import Hit
from .collection import OpenIndex, Way
from .pictures import has_photo, image_of
from .refusal import Refusal


class Page(NamedTuple):
    """Which of the hits are wanted. contains: a part of their id, file name or caption."""

    k: int
    offset: int
    contains: str


class Found(NamedTuple):
    """hits: of the page; more: whether there are further ones; seconds: of encoding and of searching."""

    hits: Sequence[Hit]
    more: bool
    encode: float
    search: float
    notes: list[str]


def by_text(way: Way, query: str, page: Page, recall: float | None, candidates: int | None) -> Found:
    """Search an index of images by a text; raises Refusal for a query that cannot be answered."""
    searcher = way.index.searcher
    if way.index.holds != "images":
        raise Refusal(422, "this way holds captions; search it by a photo, or pick a way that holds images")
    if not query.strip():
        raise Refusal(422, "the query is empty; give it words")
    if recall is not None and not way.takes_recall:
        raise Refusal(422, "recall: the first stage of this way was not measured; leave it out, or give candidates")
    begin = time.perf_counter()
    fragments, vector = searcher.encode(query, way.mode)
    encoded = time.perf_counter()
    hits, more = _paged(
        way.index,
        page,
        lambda k, only: searcher.search_fragments(fragments, vector, k, way.mode, candidates, only, recall),
    )
    return Found(hits, more, encoded - begin, time.perf_counter() - encoded, searcher.remarks(query))


def by_photo(way: Way, data: bytes, page: Page) -> Found:
    """Search by a photo that is described anew; raises Refusal where this way cannot be, or it is no photo."""
    if not way.index.describes_photos:
        raise Refusal(
            422,
            "this way cannot be searched by a new photo: its index does not record how photos were described, or was "
            "built without --photos; pick a photo of the index in place of it (like)",
        )
    begin = time.perf_counter()
    regions = way.index.describe(data)
    return _by_regions(way, regions, page, begin)


def by_like(way: Way, item: str, page: Page) -> Found:
    """Search by an image of the index, or of the data set that an index of captions was made of."""
    begin = time.perf_counter()
    if way.index.holds == "captions":
        found = way.index.row_of(item)
        if found is None:
            raise Refusal(404, f"like: the data of this index have no image {item!r}, or are not there any more")
        data, row = found
        regions, counts = data.store.read_regions([row])
        return _by_regions(way, regions[0, : counts[0]], page, begin)
    if way.index.file_of(item) is None:
        raise Refusal(404, f"like: the index holds no image {item!r}; give the id of one that a search found")
    hits, more = _paged(way.index, page, lambda k, only: way.index.searcher.search_like(item, k, way.mode, None, only))
    return Found(hits, more, 0.0, time.perf_counter() - begin, [])


def _by_regions(way: Way, regions: np.ndarray, page: Page, begin: float) -> Found:
    searcher, recall = way.index.searcher, 1.0 if way.takes_recall else None  # measured for texts
    fragments, vector = searcher.encode_image(regions, way.mode)
    encoded = time.perf_counter()
    hits, more = _paged(
        way.index, page, lambda k, only: searcher.search_fragments(fragments, vector, k, way.mode, None, only, recall)
    )
    return Found(hits, more, encoded - begin, time.perf_counter() - encoded, [])


def _paged(
    index: OpenIndex, page: Page, search: Callable[[int, Sequence[str] | None], list[Hit]]
) -> tuple[list[Hit], bool]:
    """Return the hits of a page, and whether more follow."""
    end, commit = page.offset + page.k, index.searcher.index.commit
    only = index.only(page.contains)
    if only == []:
        return [], False
    try:
        hits = search(end + 1, only)
    except InputError:
        if only is None or commit == index.searcher.index.commit:
            raise
        return _paged(index, page, search)  # an id that was chosen has been deleted meanwhile
    return hits[page.offset : end], len(hits) > end


def told(way: Way, hit: Hit) -> dict:
    """Return a hit as the answer has it."""
    index = way.index
    image = image_of(index, hit.id)
    found = index.row_of(image)
    caption = found[0].caption(found[1]) if found else ""
    photo = f"/images/{quote(hit.id)}?way={quote(way.key)}" if has_photo(index, hit.file, image) else None
    return {
        "rank": hit.rank,
        "id": hit.id,
        "score": hit.score,
        "text": hit.file if index.holds == "captions" else "",
        "photo": photo,
        "alt": caption or f"photo {image}",
    }
