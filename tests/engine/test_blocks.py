"""A model's blocks against its evaluation, and what has none."""

import pytest

from inflate_shrink.data.store import open_store
from inflate_shrink.data.tokenized import tokenize_split
from inflate_shrink.engine.blocks import describe_blocks, evaluate_blocks
from inflate_shrink.engine.checkpoint import open_checkpoint
from inflate_shrink.engine.evaluate import evaluate, score_all
from inflate_shrink.errors import InputError
from inflate_shrink.metrics import recalls


def row(rows, **of):
    (found,) = (each for each in rows if all(each.get(key) == value for key, value in of.items()))
    return {key: found[key] for key in ("t2i", "i2t", "rsum")}


def evaluated(checkpoint, data_dir, images=0):
    store = open_store(data_dir)
    data = tokenize_split(store, "test", checkpoint.tokenizer()).first_images(images)
    result = evaluate(checkpoint.load_model(), store, data)
    return {key: result[key] for key in ("t2i", "i2t", "rsum")}


@pytest.fixture(scope="module")
def inflated(trained):
    return open_checkpoint(trained("model.codes=3", "model.fragments=all"))


@pytest.fixture(scope="module")
def result(inflated, tiny_data):
    return evaluate_blocks(inflated, tiny_data, "test")


def test_all_against_all_is_the_model(inflated, tiny_data, result):
    expected = evaluated(inflated, tiny_data)
    assert row(result["blocks"], text="all", image="all") == expected
    for part in ("padding", "codes"):
        assert row(result["weighted"], part=part, weight=1.0) == expected
    assert row(result["added"], weight=0.0) == row(result["blocks"], text="words and padding", image="regions")


def test_weight_0_leaves_a_part_out(inflated, result):
    assert row(result["weighted"], part="codes", weight=0.0) == row(
        result["blocks"], text="words and padding", image="all"
    )


def test_shares_of_all_positions_are_100(result):
    for shares in [*result["won"].values(), *result["won_own"].values()]:
        assert shares["inputs"] + shares["codes"] == pytest.approx(100)
        assert sum(shares["each_code"]) == pytest.approx(shares["codes"]) and len(shares["each_code"]) == 3


def test_fragments_are_counted(inflated, tiny_data, result):
    ids = tokenize_split(open_store(tiny_data), "test", inflated.tokenizer()).ids
    words = (ids != 0).sum(1).mean()
    assert result["fragments"]["text"] == pytest.approx({"words": words, "padding": 32 - words, "codes": 3})
    assert result["fragments"]["image"] == {"regions": 32, "codes": 3}


def test_hubness_is_taken_from_the_training_split(inflated, tiny_data, result):
    """24 training images and all their captions are fewer than what would be drawn."""
    store, model = open_store(tiny_data), inflated.load_model()
    train, test = (tokenize_split(store, name, inflated.tokenizer()) for name in ("train", "test"))
    scores = score_all(model, store, test.ids, test.split.image_rows)
    of_image = score_all(model, store, train.ids, test.split.image_rows).mean(1)
    of_text = score_all(model, store, test.ids, train.split.image_rows).mean(0)
    t2i = recalls(scores - of_image[:, None], test.split.caption_image).t2i
    i2t = recalls(scores - of_text, test.split.caption_image).i2t
    assert (result["hubness"]["captions"], result["hubness"]["images"]) == (120, 24)
    assert result["hubness"]["t2i"]["after"] == t2i._asdict() and result["hubness"]["i2t"]["after"] == i2t._asdict()
    assert result["hubness"]["t2i"]["before"] == recalls(scores, test.split.caption_image).t2i._asdict()


def test_base_model_has_words_and_padding(trained, tiny_data):
    checkpoint = open_checkpoint(trained("model.fragments=all"))
    found = evaluate_blocks(checkpoint, tiny_data, "test", images=4)
    names = [(each["text"], each["image"]) for each in found["blocks"]]
    assert names == [("words", "regions"), ("padding", "regions"), ("all", "regions")] and not found["added"]
    assert row(found["blocks"], text="all", image="regions") == evaluated(checkpoint, tiny_data, 4)
    assert found["images"] == 4 and "won by" not in describe_blocks(found)


def test_blocks_of_weighted_words_are_the_models(trained, tiny_data):
    overrides = "model.codes=3", "model.fragments=all", "model.score_padding=masked", "model.text_weights=length"
    checkpoint = open_checkpoint(trained(*overrides))
    found = evaluate_blocks(checkpoint, tiny_data, "test")
    assert row(found["blocks"], text="all", image="all") == evaluated(checkpoint, tiny_data)


def test_masked_padding_is_no_part(trained, tiny_data):
    checkpoint = open_checkpoint(trained("model.codes=3", "model.fragments=all", "model.score_padding=masked"))
    found = evaluate_blocks(checkpoint, tiny_data, "test")
    assert list(found["fragments"]["text"]) == ["words", "codes"]
    assert row(found["blocks"], text="all", image="all") == evaluated(checkpoint, tiny_data)


def test_description_names_what_is_scored(result):
    lines = describe_blocks(result).splitlines()
    assert lines[0].startswith("10 images, 50 captions of split test; text: ") and "3.0 codes" in lines[0]
    assert sum(line.startswith("words and padding") for line in lines) == 3
    assert any(line.startswith("t2i, each image without its mean score over 120 training captions") for line in lines)


def test_one_vector_has_no_blocks(trained, tiny_data, inflated):
    with pytest.raises(InputError, match="has one fragment a side; blocks are those of late interaction"):
        evaluate_blocks(open_checkpoint(trained("model.fragments=1")), tiny_data, "test")
    with pytest.raises(InputError, match="has one fragment a side"):
        evaluate_blocks(inflated, tiny_data, "test", fragments=1)


def test_other_scores_have_no_blocks(trained, tiny_data):
    checkpoint = open_checkpoint(trained("model.scoring=scan_t2i"))
    with pytest.raises(InputError, match="has scoring scan_t2i; blocks are those"):
        evaluate_blocks(checkpoint, tiny_data, "test")
