"""The content of an index in an existing engine that spans machines: Qdrant, embedded or by URL.

    searcher = Searcher("indexes/mine")
    with QdrantEngine("http://qdrant:6333", "mine") as engine:
        push_index(searcher.index, engine)
        fragments, vector = searcher.encode("a dog in the snow")
        hits = engine.search(fragments, 10, vector)

docs/scale.md says what runs where, why Qdrant, and what 1e8 and 1e9 images take.
"""

from .push import Pushed, push_index
from .qdrant import QdrantEngine

__all__ = ["Pushed", "QdrantEngine", "push_index"]
