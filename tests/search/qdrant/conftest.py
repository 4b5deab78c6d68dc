"""Small indexes of random unit vectors, and a collection of embedded Qdrant."""

import numpy as np
import pytest

from inflate_shrink.search.index import FieldSettings, IndexSettings, IndexWriter, create_index, open_index

DIM = 6


@pytest.fixture
def random_items():
    """A function: ids -> what IndexWriter.add takes: images of 1 to 4 fragments, and F's vectors."""
    random = np.random.default_rng(0)

    def unit(rows):
        vectors = random.standard_normal((rows, DIM)).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def make(ids, most=4, vector=True):
        lengths = random.integers(1, most + 1, len(ids))
        fields = {"fragments": (unit(lengths.sum()), lengths)}
        if vector:
            fields["vector"] = (unit(len(ids)), np.ones(len(ids), int))
        return list(ids), [f"{id}.jpg" for id in ids], fields

    return make


@pytest.fixture
def make_index(random_items, tmp_path):
    """A function: ids -> an open index of them."""

    def make(ids, name="mine", precision="float32", holds="images", model="B", most=4, vector=True):
        fields = {"fragments": FieldSettings(precision, DIM)}
        if vector:
            fields["vector"] = FieldSettings(precision, DIM)
        create_index(tmp_path / name, IndexSettings(holds, fields, {"model": {"fingerprint": model}}))
        with IndexWriter(tmp_path / name) as writer:
            writer.add(*random_items(ids, most, vector))
            writer.commit()
        return open_index(tmp_path / name)

    return make


@pytest.fixture
def collection():
    """A collection of embedded Qdrant in memory."""
    pytest.importorskip("qdrant_client", reason="Qdrant's client is not installed: pip install inflate-shrink[qdrant]")
    from inflate_shrink.search.qdrant import QdrantCollection

    with QdrantCollection(":memory:", "photos") as collection:
        yield collection
