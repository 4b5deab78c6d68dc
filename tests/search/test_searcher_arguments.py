"""What a searcher is asked for: the README's example, devices, a reranking of one's own, what is refused."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import paddle
import pytest
from index_items import QUERY

from inflate_shrink.errors import InputError
from inflate_shrink.search import encoders as encoders_module
from inflate_shrink.search.searcher import Searcher

README = Path(__file__).resolve().parents[2] / "README.md"


def test_example(examples, built):
    assert examples(Searcher, INDEX=built()) == (0, 3)


def test_the_readmes_example(built, trained, tiny_data, tmp_path, monkeypatch, capsys):
    for name, made in (("indexes/demo", built()), ("runs/demo/I-B", trained()), ("data/demo", tiny_data)):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).symlink_to(made)
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
    exec(code.replace("range(100)", "range(10)"), found := {})
    assert len(capsys.readouterr().out.splitlines()) == 5 and list(found["scores"].shape) == [10, 2]
    np.testing.assert_array_equal(found["scores"], found["ins"].late_interaction(found["texts"], found["images"]))


def test_threads_open_an_encoder_once(built, monkeypatch):
    made = []

    class Encoder(encoders_module.QueryEncoder):
        def __init__(self, directory, *arguments):
            made.append(directory.name)
            super().__init__(directory, *arguments)

    monkeypatch.setattr(encoders_module, "QueryEncoder", Encoder)
    searcher = Searcher(built("B", first=True))
    with ThreadPoolExecutor(8) as threads:
        answers = [*threads.map(searcher.search, [QUERY, "box"] * 20)]
    assert sorted(made) == ["encoder", "first_encoder"]
    assert answers == [searcher.search(QUERY), searcher.search("box")] * 20


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"k": 0}, "k and candidates must be 1 or more, found 0"),
        ({"candidates": 0}, "must be 1 or more, found 10 and 0"),
        (
            {"mode": "cascade"},
            "cannot be searched by 'cascade', only by exact; tools/index.py build --stages, --first or --centroids",
        ),
        ({"query": " \t"}, "the query is empty"),
    ],
)
def test_refused(built, arguments, message):
    with pytest.raises(InputError, match=message):
        Searcher(built("B")).search(**{"query": QUERY, **arguments})


def test_the_other_kind_of_index(built):
    with pytest.raises(InputError, match="an index of images; search it with a text"):
        Searcher(built("B")).search_image(np.zeros((3, 4), np.float32))
    captions = Searcher(built("B", "counted", holds="captions"))
    with pytest.raises(InputError, match="an index of captions; the like of an item is found in an index of images"):
        captions.search_like("test-00003#1")
    for ask in (captions.search, captions.remarks):
        with pytest.raises(InputError, match="an index of captions; search it with an image"):
            ask(QUERY)


@pytest.mark.skipif(paddle.device.cuda.device_count() > 0, reason="for machines without a GPU")
def test_devices(built):
    for device, message in (("gpu", "no GPU here"), ("tpu", "a device is one of cpu, gpu, found 'tpu'")):
        with pytest.raises(InputError, match=message):
            Searcher(built("B"), device=device)


def test_rerank_orders_more_hits_than_are_wanted(built):
    searcher, given = Searcher(built("B")), []

    def backwards(hits):
        given.append(len(hits))
        return hits[::-1]

    exact = searcher.search(QUERY, k=20)
    assert searcher.search(QUERY, k=3, rerank=backwards) == exact[:-4:-1]
    assert searcher.search(QUERY, k=5, rerank=backwards, reranked=2) == exact[4::-1]
    assert given == [20, 5]
