"""Reranking: recalls by hand, and that a checkpoint reranks itself as it would alone."""

import numpy as np
import pytest

from inflate_shrink.data.store import open_store
from inflate_shrink.engine.checkpoint import open_checkpoint
from inflate_shrink.engine.evaluate import evaluate_checkpoint
from inflate_shrink.engine.rerank import describe_reranking, rerank_checkpoints
from inflate_shrink.errors import InputError
from inflate_shrink.metrics import best_candidates, recalls, reranked_recalls

SCORES = np.array([[9.0, 1, 5, 4], [8, 2, 6, 3], [7, 3, 7, 9]])  # 3 images, 4 captions
IMAGE = np.array([1, 0, 0, 2])


def test_candidates_are_the_best_and_ties_keep_their_order():
    assert best_candidates(np.array([[1.0, 3, 3, 2], [5, 5, 0, 7]]), 3).tolist() == [[1, 2, 3], [3, 0, 1]]


def test_by_hand():
    by_text = best_candidates(SCORES.T, 2)  # images [[0, 1], [2, 1], [2, 1], [2, 0]]
    new_text = np.array([[0.0, 1], [5, 6], [5, 6], [4, 4]])
    # caption 0: its image rises to the top; 1 and 2: image 0 is no candidate, rank 3; 3: equal to another, which counts against it
    by_image = best_candidates(SCORES, 2)  # captions [[0, 2], [0, 2], [3, 0]]
    new_image = np.array([[0.0, 1], [1, 0], [0, 1]])
    result = reranked_recalls(SCORES, IMAGE, (by_text, new_text), (by_image, new_image))
    assert result.t2i[:3] == (25.0, 100.0, 100.0)
    assert result.i2t[:3] == (pytest.approx(200 / 3), 100.0, 100.0)
    assert result.t2i.medr == 2  # ranks 1, 3, 3, 2


def test_no_candidates_change_nothing():
    none = np.zeros((4, 0), int), np.zeros((4, 0))
    assert reranked_recalls(SCORES, IMAGE, none, (none[0][:3], none[1][:3])) == recalls(SCORES, IMAGE)


@pytest.fixture(scope="module")
def joint(trained):
    return open_checkpoint(trained("model.joint=true", "loss.candidates=2"))


def test_depths_from_the_retriever_alone_to_the_cross_bert_alone(joint, tiny_data):
    result = rerank_checkpoints(joint, joint, tiny_data, "test", [0, 3, 10])
    assert (result["images"], result["captions"]) == (10, 50)
    alone = evaluate_checkpoint(joint, tiny_data, "test"), evaluate_checkpoint(joint, tiny_data, "test", cross=True)
    # all ten images are candidates of a text, but only ten captions of an image
    assert result["rerank"][0]["t2i"] == alone[0]["t2i"] and result["rerank"][2]["t2i"] == alone[1]["t2i"]
    assert result["rerank"][0]["rsum"] == pytest.approx(alone[0]["rsum"])
    assert alone[0]["t2i"] != alone[1]["t2i"]
    times = [row["ms_per_query"] for row in result["rerank"]]
    assert 0 < times[0] < times[2]
    assert result["pairs"] == 50 * 10 + 10 * 10
    table = describe_reranking(result).splitlines()
    assert [line.split()[0] for line in table] == ["n", "0", "3", "10", "10"]


def test_a_part_of_the_split(joint, trained, tiny_data):
    result = rerank_checkpoints(open_checkpoint(trained()), joint, tiny_data, "test", [2], images=4)
    assert (result["images"], result["captions"]) == (4, 20)


@pytest.mark.parametrize(
    "overrides, depths, message",
    [
        (
            (("model.scoring=cross", "loss.candidates=2"), ("model.joint=true", "loss.candidates=2")),
            [2],
            "the retriever is a cross-BERT",
        ),
        (((), ()), [2], "the reranker is a bi-encoder"),
        (((), ("model.joint=true", "loss.candidates=2")), [11], "11 candidates cannot be reranked of 10 images"),
        (((), ("model.joint=true", "loss.candidates=2")), [-1], "-1 candidates cannot"),
    ],
)
def test_refused(trained, tiny_data, overrides, depths, message):
    retriever, reranker = (open_checkpoint(trained(*some)) for some in overrides)
    with pytest.raises(InputError, match=message):
        rerank_checkpoints(retriever, reranker, tiny_data, "test", depths)


def test_models_of_different_vocabularies_are_refused(joint, trained, tiny_data, tmp_path):
    import shutil

    other = open_checkpoint(shutil.copytree(joint.directory, tmp_path / "other"))
    with open(other.vocab_file, "a") as file:
        file.write("zebra\n")
    with pytest.raises(InputError, match="different vocabularies"):
        rerank_checkpoints(joint, other, open_store(tiny_data).directory, "test", [2])
