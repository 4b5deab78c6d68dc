"""Evaluation against scores and ranks computed one pair at a time in float64."""

import weakref

import numpy as np
import paddle
import pytest

from inflate_shrink.data.store import open_store
from inflate_shrink.data.tokenized import tokenize_split
from inflate_shrink.engine import cross, encode
from inflate_shrink.engine.checkpoint import open_checkpoint
from inflate_shrink.engine.evaluate import describe, evaluate, evaluate_checkpoint, score_all
from inflate_shrink.errors import InputError

MODELS = [("model.fragments=4",), ("model.codes=3", "model.fragments=all", "model.score_padding=masked")]


@pytest.fixture(scope="module", params=MODELS, ids=["counted", "masked"])
def checkpoint(request, trained):
    return open_checkpoint(trained(*request.param))


@pytest.fixture(scope="module")
def scores(checkpoint, tiny_data):
    """A function: l -> scores (images, captions) of the test split from the first l fragments."""
    model, store = checkpoint.load_model(), open_store(tiny_data)
    test = tokenize_split(store, "test", checkpoint.tokenizer())
    regions, counts = store.read_regions(test.split.image_rows)
    with paddle.no_grad():
        texts = [model.encode_text(paddle.to_tensor(ids[None])) for ids in test.ids]
        images = [
            model.encode_image(*map(paddle.to_tensor, (regions[i : i + 1], counts[i : i + 1])))
            for i in range(len(counts))
        ]

    def kept(fragments, first):
        vectors = fragments.vectors[0].numpy().astype("float64")[:first]
        return vectors if fragments.mask is None else vectors[fragments.mask[0].numpy()[:first] == 1]

    return lambda first=None: np.array(
        [[(kept(t, first) @ kept(i, first).T).max(1).sum() for t in texts] for i in images]
    )


def numbers(ranks):
    """R@1, R@5, R@10 and the median rank from ranks that start at 1."""
    ordered = sorted(ranks)
    return [100 * sum(rank <= k for rank in ranks) / len(ranks) for k in (1, 5, 10)] + [
        np.floor((ordered[(len(ranks) - 1) // 2] + ordered[len(ranks) // 2]) / 2)
    ]


def ranks(scores, captions_per_image=5):
    """Ranks of each caption's image, and of each image's best own caption."""
    n, m = scores.shape
    own = np.arange(m) // captions_per_image
    by_text = [1 + sum(scores[i, c] >= scores[own[c], c] for i in range(n) if i != own[c]) for c in range(m)]
    by_image = [1 + sum(scores[i, c] >= scores[i, own == i].max() for c in range(m) if own[c] != i) for i in range(n)]
    return by_text, by_image


def assert_result(result, scores):
    by_text, by_image = map(numbers, ranks(scores))
    assert list(result["t2i"].values()) == pytest.approx(by_text)
    assert list(result["i2t"].values()) == pytest.approx(by_image)
    assert result["rsum"] == pytest.approx(sum(by_text[:3]) + sum(by_image[:3]))
    assert (result["images"], result["captions"]) == scores.shape


def test_equals_the_definition(checkpoint, tiny_data, scores):
    assert_result(evaluate_checkpoint(checkpoint, tiny_data, "test", "full", "all"), scores())


@pytest.mark.parametrize("first", [1, 2, 4])
def test_fragments_are_the_first_of_each_side(checkpoint, tiny_data, scores, first):
    assert_result(evaluate_checkpoint(checkpoint, tiny_data, "test", "full", first), scores(first))


def test_more_fragments_than_there_are_is_refused(checkpoint, tiny_data):
    with pytest.raises(InputError, match=r"has \d+ fragments a side, so no first 99; give --fragments"):
        evaluate_checkpoint(checkpoint, tiny_data, "test", "full", 99)


@pytest.mark.parametrize("protocol", ["first1k", "fold5"])
def test_protocols_that_need_more_images_are_refused(checkpoint, tiny_data, protocol):
    with pytest.raises(InputError, match=f"protocol {protocol} needs .*the split has 10"):
        evaluate_checkpoint(checkpoint, tiny_data, "test", protocol, "all")


def test_fold5_is_the_mean_over_folds(checkpoint, tiny_data, scores, monkeypatch):
    monkeypatch.setattr("inflate_shrink.metrics.FOLD", 5)
    result = evaluate_checkpoint(checkpoint, tiny_data, "test", "fold5", "all")
    folds = [ranks(scores()[i : i + 5, 5 * i : 5 * i + 25]) for i in (0, 5)]
    for side, which in (("t2i", 0), ("i2t", 1)):
        assert list(result[side].values()) == pytest.approx(
            np.mean([numbers(fold[which]) for fold in folds], axis=0).tolist()
        )
    assert (result["images"], result["captions"]) == (10, 50)


def test_first1k_leaves_the_rest_out(checkpoint, tiny_data, scores, monkeypatch):
    monkeypatch.setattr("inflate_shrink.metrics.FOLD", 4)
    assert_result(evaluate_checkpoint(checkpoint, tiny_data, "test", "first1k", "all"), scores()[:4, :20])


@pytest.mark.parametrize("training", [True, False])
def test_dropout_is_off_and_the_mode_is_kept(checkpoint, tiny_data, training):
    model, store = checkpoint.load_model(), open_store(tiny_data)
    model.train() if training else model.eval()
    results = [evaluate(model, store, tokenize_split(store, "test", checkpoint.tokenizer())) for _ in range(2)]
    assert results[0] == results[1] and model.training == training


def test_data_of_another_dimension(checkpoint, tmp_path):
    from inflate_shrink.data.demo.build import build_demo
    from inflate_shrink.data.demo.spec import DemoSpec

    build_demo(tmp_path / "other", spec=DemoSpec(train=0, val=0, test=2, distractors=3))
    with pytest.raises(InputError, match="other: regions have 115 dimensions, .* was trained on 128"):
        evaluate_checkpoint(checkpoint, tmp_path / "other", "test", "full", "all")


def test_scores_that_are_not_finite_are_no_perfect_recall(checkpoint, tiny_data):
    model, store = checkpoint.load_model(), open_store(tiny_data)
    bias = model.region_embedding.projection.bias
    bias.set_value(bias * float("nan"))
    with pytest.raises(InputError, match="scores are not finite"):
        evaluate(model, store, tokenize_split(store, "test", checkpoint.tokenizer()))


def test_description_is_one_line(checkpoint, tiny_data):
    line = describe(evaluate_checkpoint(checkpoint, tiny_data, "test", "full", "all"))
    assert "\n" not in line and "protocol full: 10 images, 50 captions" in line


def test_captions_are_encoded_and_scored_batch_by_batch(checkpoint, tiny_data, monkeypatch):
    """Fragments of earlier batches are gone, and the recalls are those of all at once."""
    model, store = checkpoint.load_model(), open_store(tiny_data)
    test = tokenize_split(store, "test", checkpoint.tokenizer())
    expected, made, score = evaluate(model, store, test), [], model.score

    def counting(text, image):
        made.append(weakref.ref(text.vectors))
        assert len(text.vectors) <= 16 and sum(reference() is not None for reference in made) <= 2
        return score(text, image)

    monkeypatch.setattr(encode, "BATCH", 16)
    monkeypatch.setattr(model, "score", counting)
    assert evaluate(model, store, test) == expected and len(made) == 4


def test_a_cross_bert_embeds_a_text_when_it_is_scored(trained, tiny_data, monkeypatch):
    checkpoint = open_checkpoint(trained("model.scoring=cross"))
    model, store = checkpoint.load_model(), open_store(tiny_data)
    ids, rows = tokenize_split(store, "test", checkpoint.tokenizer()).ids[:12], np.arange(10)
    sizes, embed = [], model.text_embedding.forward
    monkeypatch.setattr(model.text_embedding, "forward", lambda ids: (sizes.append(len(ids)), embed(ids))[1])
    monkeypatch.setattr(cross, "PAIRS", 25)
    scores = score_all(model, store, ids, rows)
    assert max(sizes) <= 4 and len(sizes) == 5  # 25 pairs are of 4 texts at most
    monkeypatch.setattr(cross, "PAIRS", 1000)
    np.testing.assert_allclose(scores, score_all(model, store, ids, rows), atol=1e-5)
