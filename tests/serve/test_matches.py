"""GET /match and GET /attention: what tools/visualize.py's pictures show, of what the index stores."""

import pytest

from inflate_shrink.data.store import open_store

QUERY = "a red ball left of a box"


@pytest.fixture(scope="module")
def drawn(indexes, collection):
    """What the model itself says of a query and an image of the data set: match and attention of both sides."""
    from inflate_shrink.engine.checkpoint import open_checkpoint
    from inflate_shrink.visualize.attention import attention
    from inflate_shrink.visualize.labels import image_labels, text_labels
    from inflate_shrink.visualize.match import match

    checkpoint = open_checkpoint(collection.indexes[0].model["checkpoint"])
    model, tokenizer, store = checkpoint.load_model(), checkpoint.tokenizer(), collection.indexes[0].data_sets[0].store
    ids, (regions, counts) = tokenizer([QUERY]), store.read_regions([store.image_ids.index("val-00002")])
    labels = text_labels(ids[0], tokenizer, 3), image_labels(counts[0], regions.shape[1], 3)
    return (
        match(model, ids, regions, counts, *labels),
        attention(model, model.encode_text, (ids,), labels[0]),
        attention(model, model.encode_image, (regions, counts), labels[1]),
    )


def test_words_choose_what_they_choose_in_the_model(client, drawn, tiny_data):
    answer, expected = client.get("/match/val-00002", params={"query": QUERY}).json(), drawn[0]
    for side in ("words", "codes"):
        assert [(word["text"], word["region"]) for word in answer[side]] == [
            (choice.text, choice.region) for choice in getattr(expected, side)
        ]
        cosines = [choice.cosine for choice in getattr(expected, side)]
        assert [word["cosine"] for word in answer[side]] == pytest.approx(cosines, abs=1e-4)
    assert answer["score"] == pytest.approx(expected.score, abs=1e-3)
    assert answer["padding"] == pytest.approx(expected.padding, abs=1e-3)
    assert [word["quiet"] for word in answer["words"][:3]] == [True, True, False]  # [CLS] a red
    store = open_store(tiny_data)
    row = store.image_ids.index("val-00002")
    assert [answer["width"], answer["height"]] == store.image_sizes[row].tolist()
    assert answer["regions"] == store.region_counts[row] == len(answer["boxes"])
    assert answer["boxes"] == store.boxes[row, : answer["regions"]].tolist()


def test_without_the_data_set_words_choose_without_boxes(client, collection, drawn, monkeypatch):
    monkeypatch.setattr(collection.indexes[0], "data_sets", [])
    answer = client.get("/match/val-00002", params={"query": QUERY}).json()
    assert answer["boxes"] == [] and answer["regions"] == 32
    assert [word["region"] for word in answer["words"]] == [choice.region for choice in drawn[0].words]


def test_labels_of_the_fragments_that_are_kept():
    from types import SimpleNamespace

    from inflate_shrink.serve.matches import _kept

    labels = ["[CLS]", "ball", "[SEP]", None, "code 1"]
    for fragments, padding, expected in (
        ("all", "counted", labels),
        ("all", "masked", ["[CLS]", "ball", "[SEP]", "code 1"]),
        (4, "counted", ["[CLS]", "ball", "[SEP]", None]),
        (4, "masked", ["[CLS]", "ball", "[SEP]"]),
    ):
        index = SimpleNamespace(model={"fragments": fragments, "score_padding": padding})
        assert _kept(index, labels) == expected


def test_attention_of_both_sides(client, drawn):
    for side, expected in (("text", drawn[1]), ("image", drawn[2])):
        answer = client.get("/attention/val-00002", params={"query": QUERY, "side": side}).json()
        assert answer["labels"] == expected.labels and (answer["layers"], answer["heads"]) == (1, 2)
        thousandths = (expected.weights * 1000).round().astype(int)
        assert answer["weights"] == thousandths.reshape(1, 2, -1).tolist()


def test_what_has_no_match_or_attention_says_so(client, collection, monkeypatch):
    about = {way["way"]: (way["match"], way["attention"]) for way in client.get("/about").json()["ways"]}
    assert about == {"0:cascade": (True, True), "0:exact": (True, True), "1:exact": (False, True)}
    cases = [
        ("/match/val-00002?query=ball&way=1:exact", 404, "words choose regions in an index of images"),
        ("/match/nothing?query=ball", 404, "the index holds no image 'nothing'"),
        ("/match/val-00002?query=", 422, "query: it is empty"),
        ("/match/val-00002", 422, "query: field required"),
        ("/attention/nothing?side=image", 404, "the regions of 'nothing' are not there"),
        ("/attention/val-00002?side=text", 422, "query: it is empty"),
        ("/attention/val-00002?side=left", 422, "side: input should be 'text' or 'image'"),
    ]
    for path, status, sentence in cases:
        answer = client.get(path)
        assert (answer.status_code, answer.json()["error"][: len(sentence)]) == (status, sentence)


@pytest.mark.parametrize(
    "change, said", [({"checkpoint": "/gone/best"}, "not there any more"), ({"fingerprint": "0"}, "other weights")]
)
def test_a_checkpoint_that_is_not_the_indexes(collection, monkeypatch, change, said):
    from inflate_shrink.serve.attentions import Attentions
    from inflate_shrink.serve.refusal import Refusal

    index = collection.indexes[0]
    monkeypatch.setattr(index, "model", {**index.model, **change})
    with pytest.raises(Refusal, match=said) as refused:
        Attentions().attention(index, "val-00002", QUERY, "text")
    assert refused.value.status_code == 404
