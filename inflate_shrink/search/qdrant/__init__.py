"""The content of an index in Qdrant, a search engine that spans machines: embedded, or by URL.

    searcher = Searcher("indexes/mine")
    with QdrantCollection("http://qdrant:6333", "mine") as collection:
        push_index(searcher.index, collection)
        fragments, vector = searcher.encode("a dog in the snow")
        hits = collection.search(fragments, 10, vector)

docs/scale.md says what runs where, why Qdrant, and what 1e8 and 1e9 images take.
"""

from .collection import QdrantCollection
from .push import Pushed, push_index
from .searcher import QdrantSearcher

__all__ = ["Pushed", "QdrantCollection", "QdrantSearcher", "push_index"]
