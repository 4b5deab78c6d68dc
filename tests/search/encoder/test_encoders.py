"""An exported encoder gives the fragments of its checkpoint, in either library, and imports little."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import paddle
import pytest

from inflate_shrink.engine.encode import encode_texts
from inflate_shrink.errors import InputError
from inflate_shrink.search.encoder.encoders import BATCH, ImageEncoder, QueryEncoder

PADDLE_3 = not paddle.__version__.startswith("2.")
# 2, 1, 4 (cut), 3 and 1 words' pieces between [CLS] and [SEP].
TEXTS = [
    "a dog",
    "a",
    "dogs in the snow. a dog",
    "in [PAD] snow",
    "été",
]
SHAPES = {
    "F": {"fragments": 1},
    "B3": {"fragments": 3},
    "B": {"fragments": 6},
    "I": {"codes": 2},
    "k2l4": {"codes": 2, "fragments": 4},
}


@pytest.fixture(
    params=["paddle", pytest.param("onnx", marks=pytest.mark.skipif(not PADDLE_3, reason="paddle2onnx needs Paddle 3"))]
)
def backend(request):
    return request.param


def counted(fragments):
    vectors, mask = fragments.vectors.numpy(), fragments.float_mask().numpy()
    return [rows[counts > 0] for rows, counts in zip(vectors, mask)]


def assert_equal(found, expected):
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("padding", ["masked", "counted"])
@pytest.mark.parametrize("shape", SHAPES)
def test_texts(exported, backend, shape, padding):
    checkpoint, directory = exported(onnx=PADDLE_3, score_padding=padding, **SHAPES[shape])
    expected = counted(encode_texts(checkpoint.load_model(), checkpoint.tokenizer()(TEXTS)))
    encoder = QueryEncoder(directory, backend=backend)
    assert_equal(encoder(TEXTS), expected)
    assert_equal([encoder([text])[0] for text in TEXTS], expected)  # each with no more positions than it needs
    assert [encoder.dim, encoder.fingerprint] == [8, encoder.meta["model"]["fingerprint"]]


@pytest.mark.slow
@pytest.mark.parametrize("padding, shape", [("masked", "F"), ("counted", "B"), ("masked", "I"), ("counted", "I")])
def test_images(exported, backend, padding, shape):
    checkpoint, directory = exported("image", PADDLE_3, score_padding=padding, **SHAPES[shape])
    random = np.random.default_rng(0)
    regions, counts = random.normal(size=(BATCH + 2, 4, 5)).astype("float32"), random.integers(1, 5, BATCH + 2)
    with paddle.no_grad():
        expected = counted(checkpoint.load_model().encode_image(paddle.to_tensor(regions), paddle.to_tensor(counts)))
    assert_equal(ImageEncoder(directory, backend=backend)(regions, counts), expected)


@pytest.mark.slow
def test_threads_share_an_encoder(exported, backend):
    _, directory = exported(onnx=PADDLE_3, score_padding="masked", fragments=6)
    encoder = QueryEncoder(directory, threads=1, backend=backend)
    texts = TEXTS * 40
    expected = dict(zip(TEXTS, encoder(TEXTS)))
    with ThreadPoolExecutor(8) as threads:
        found = [*threads.map(lambda text: encoder([text])[0], texts)]
    assert_equal(found, [expected[text] for text in texts])


def test_positions_of_short_texts(exported):
    _, directory = exported(onnx=PADDLE_3, score_padding="masked", fragments=6)
    encoder = QueryEncoder(directory)
    given, run = [], encoder._run
    encoder._run = lambda ids: given.append(ids.shape) or run(ids)
    encoder(["a"]), encoder(["a", "a dog"]), encoder(["a"] * (BATCH + 1))
    assert given == [(1, 3), (2, 4), (BATCH, 3), (1, 3)]


def test_many_and_none(exported):
    encoder = QueryEncoder(exported()[1], threads=1)
    assert encoder([]) == [] and len(encoder(["a dog"] * (BATCH + 1))) == BATCH + 1


def test_what_is_cut(exported):
    encoder = QueryEncoder(exported()[1])
    assert [encoder.tokenizer.is_cut(text) for text in ("a dogs.", "a dogs in", "a dogs in the")] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("text", ["", "  ", "\u200b\t"])
def test_no_words(exported, text):
    with pytest.raises(InputError, match="^the query is empty; give it words$"):
        QueryEncoder(exported()[1])(["a dog", text])


@pytest.mark.parametrize("regions, counts", [((2, 4, 3), (2,)), ((4, 5), (4,)), ((2, 4, 5), (3,))])
def test_regions_of_another_shape(exported, regions, counts):
    encoder = ImageEncoder(exported("image", PADDLE_3, score_padding="masked", fragments=1)[1])
    with pytest.raises(InputError, match=r"expected \(n, m, 5\) and \(n,\)"):
        encoder(np.zeros(regions, "float32"), np.zeros(counts, "int64"))


@pytest.mark.slow
def test_what_a_search_process_imports(exported, backend):
    _, directory = exported(onnx=PADDLE_3, score_padding="masked", fragments=1)
    code = (
        "import sys\nfrom inflate_shrink.search.encoder.encoders import QueryEncoder\n"
        "QueryEncoder(*sys.argv[1:2], backend=sys.argv[2])(['a dog'])\n"
        "heavy = {'paddle', 'paddlenlp', *(f'inflate_shrink.{part}' for part in ('engine', 'model', 'scoring'))}\n"
        "print(*heavy & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(directory), backend], capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()) == (0, ["paddle"] if backend == "paddle" else []), done.stderr
