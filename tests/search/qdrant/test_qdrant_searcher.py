"""A pushed index is searched by texts and images as the index itself."""

import pytest

from inflate_shrink.data.store import open_store
from inflate_shrink.errors import InputError
from inflate_shrink.search.qdrant import QdrantSearcher, push_index
from inflate_shrink.search.searcher import Searcher

pytestmark = pytest.mark.slow

QUERY = "a red ball left of a box"


@pytest.mark.parametrize("mode", ["exact", "cascade"])
def test_texts(collection, built, mode):
    searcher = Searcher(built("B", first=True))
    push_index(searcher.index, collection)
    pushed = QdrantSearcher(collection, searcher)
    found, expected = (index.search(QUERY, 5, mode=mode, candidates=42) for index in (pushed, searcher))
    assert [(hit.rank, hit.id, hit.file) for hit in found] == [(hit.rank, hit.id, hit.file) for hit in expected]
    assert (
        len(pushed) == len(searcher) == 42
        and pushed.holds == "images"
        and "collection photos of 42 images" in pushed.describe()
    )
    assert pushed.remarks("a xylophone") == searcher.remarks("a xylophone") != []
    with pytest.raises(InputError, match="find what is like an image in its index"):
        pushed.search_like(found[0].id)


def test_images(collection, built, tiny_data):
    searcher, regions = Searcher(built("F", holds="captions")), open_store(tiny_data).read_regions([3])[0][0]
    push_index(searcher.index, collection)
    found, expected = (index.search_image(regions, 3) for index in (QdrantSearcher(collection, searcher), searcher))
    assert [hit.id for hit in found] == [hit.id for hit in expected]


def test_another_model(collection, built):
    push_index(Searcher(built("B")).index, collection)
    with pytest.raises(InputError, match="was pushed from an index of another model"):
        QdrantSearcher(collection, Searcher(built("F")))
