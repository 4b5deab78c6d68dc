"""The cross-BERT as last stage gives each pair the score that it has alone."""

import numpy as np
import pytest

from inflate_shrink.data.store import open_store
from inflate_shrink.engine.checkpoint import open_checkpoint
from inflate_shrink.engine.evaluate import score_all
from inflate_shrink.errors import InputError
from inflate_shrink.search.cross_stage import CrossStage
from inflate_shrink.search.ranking import Hit
from inflate_shrink.search.searcher import Searcher

QUERY = "a red ball left of a box"
CROSS, JOINT = ("model.scoring=cross", "loss.candidates=2"), ("model.joint=true", "loss.candidates=2")


@pytest.mark.slow
@pytest.mark.parametrize("overrides", [CROSS, JOINT], ids=["cross", "joint"])
def test_hits_get_the_models_own_scores(trained, tiny_data, overrides):
    cross, store = open_checkpoint(trained(*overrides)), open_store(tiny_data)
    rows = np.array([30, 2, 17, 41, 8])
    hits = [Hit(rank, 9.0 - rank, store.image_ids[row], f"{row}.png") for rank, row in enumerate(rows, 1)]
    found = CrossStage(cross, tiny_data)(QUERY, hits)
    expected = score_all(cross.load_model(), store, cross.tokenizer()([QUERY]), rows, cross=True)[:, 0]
    assert expected.std() > 0
    order = np.argsort(-expected, kind="stable")
    assert [(hit.rank, hit.id, hit.file) for hit in found] == [
        (rank, hits[i].id, hits[i].file) for rank, i in enumerate(order, 1)
    ]
    np.testing.assert_allclose([hit.score for hit in found], expected[order], atol=1e-5)
    assert CrossStage(cross, tiny_data)(QUERY, []) == []


@pytest.mark.slow
def test_after_a_cascade(trained, built, tiny_data):
    """The best ten of an index, in the order of the cross-BERT."""
    stage, searcher = CrossStage(open_checkpoint(trained(*CROSS)), tiny_data), Searcher(built("B", first=True))
    hits = searcher.search(QUERY, k=3, candidates=15, rerank=lambda hits: stage(QUERY, hits), reranked=10)
    assert hits == stage(QUERY, searcher.search(QUERY, k=10, candidates=15))[:3]


def test_refused(trained, tiny_data):
    with pytest.raises(InputError, match="a bi-encoder; the last stage takes a cross-BERT"):
        CrossStage(open_checkpoint(trained()), tiny_data)
    with pytest.raises(InputError, match="has no image elsewhere, which the index found; give --data"):
        CrossStage(open_checkpoint(trained(*CROSS)), tiny_data)(
            QUERY, [Hit(1, 0.0, "test-00001", ""), Hit(2, 0.0, "elsewhere", "")]
        )
