"""What training does between its products, compared with float64 on every path of this machine."""

import math

import numpy as np
import pytest

from inflate_shrink.kernel import paths, training
from inflate_shrink.kernel.training import Dropout

if not training.available():
    pytest.skip("the kernel was not built", allow_module_level=True)

random = np.random.default_rng(0)
LIBRARY = [path for path in paths() if path != "numpy"]


@pytest.fixture(params=LIBRARY, autouse=True)
def path(request, monkeypatch):
    monkeypatch.setattr(training, "path_number", lambda _: LIBRARY.index(request.param))


def normal(*shape):
    return random.normal(size=shape).astype(np.float32)


def drawn(size):
    """A dropout of a quarter, and by what it multiplies."""
    numbers = random.integers(0, 1 << 16, size).astype(np.uint16)
    dropout = Dropout(numbers, 1 << 14, 1 / 0.75)
    return dropout, np.where(numbers >= 1 << 14, 1 / 0.75, 0)


def empty(like):
    return np.full_like(like, np.nan)


SHAPES = pytest.mark.parametrize("rows, dim", [(1, 1), (5, 17), (40, 128), (700, 33)])


@SHAPES
def test_bias_and_gelu(rows, dim):
    x, bias = 3 * normal(rows, dim), normal(dim)
    z = x.astype(np.float64) + bias
    erf = np.vectorize(math.erf)
    share, bell = (1 + erf(z / 2**0.5)) / 2, np.exp(-(z**2) / 2) / (2 * np.pi) ** 0.5
    sums, out, derivative = x.copy(), empty(x), x.copy()
    training.add_bias(sums, bias)
    training.gelu(derivative, bias, out)
    np.testing.assert_allclose(sums, z, atol=1e-6)
    np.testing.assert_allclose(out, z * share, atol=2e-6)
    np.testing.assert_allclose(derivative, share + z * bell, atol=2e-6)


def test_gelu_of_large_numbers():
    x = np.array([[-200, -20, -1e-30, 0, 20, 200, np.nan]], np.float32)
    out = empty(x)
    training.gelu(x, np.zeros(7, np.float32), out)
    np.testing.assert_allclose(out, [[0, 0, 0, 0, 20, 200, np.nan]], atol=1e-6)
    np.testing.assert_allclose(x, [[0, 0, 0.5, 0.5, 1, 1, np.nan]], atol=1e-6)


@SHAPES
def test_column_sums(rows, dim):
    g, factor = normal(rows, dim), normal(rows, dim)
    plain, weighted, products = np.empty(dim, np.float32), np.empty(dim, np.float32), empty(g)
    training.column_sums(g, plain)
    training.column_sums(g, weighted, factor, products)
    np.testing.assert_allclose(plain, g.sum(0, dtype=np.float64), atol=1e-4)
    np.testing.assert_array_equal(products, g * factor)
    np.testing.assert_allclose(weighted, (g * factor).sum(0, dtype=np.float64), atol=1e-4)
    training.column_sums(g, weighted, factor)
    np.testing.assert_allclose(weighted, (g * factor).sum(0, dtype=np.float64), atol=1e-4)


@SHAPES
@pytest.mark.parametrize("kind", ["alone", "added", "dropped"])
def test_add_and_normalise(rows, dim, kind):
    x, branch, weight, bias, g = normal(rows, dim), normal(rows, dim), normal(dim), normal(dim), normal(rows, dim)
    dropout, factor = drawn(x.size) if kind == "dropped" else (None, np.ones(x.size))
    factor = factor.reshape(x.shape)
    unit, out, inverse = empty(x), empty(x), np.empty(rows, np.float32)
    given = None if kind == "alone" else branch
    training.add_and_normalise(x, given, dropout, weight, bias, 0.01, unit, inverse, out)
    total = x.astype(np.float64) + (0 if kind == "alone" else branch * factor)
    deviation = np.sqrt(total.var(1, keepdims=True) + 0.01)
    expected = (total - total.mean(1, keepdims=True)) / deviation
    np.testing.assert_allclose(unit, expected, atol=1e-4)
    np.testing.assert_allclose(out, expected * weight + bias, atol=1e-4)

    of_x, of_branch = empty(x), empty(x)
    training.normalise_gradient(g, unit, inverse, dropout, weight, of_x, of_branch if dropout else None)
    pushed = g.astype(np.float64) * weight
    expected = (
        pushed - pushed.mean(1, keepdims=True) - expected * (pushed * expected).mean(1, keepdims=True)
    ) / deviation
    np.testing.assert_allclose(of_x, expected, atol=1e-3)
    if dropout:
        np.testing.assert_allclose(of_branch, expected * factor, atol=1e-3)


@pytest.mark.parametrize("items, rows, length", [(1, 1, 1), (3, 5, 7), (20, 64, 32)])
@pytest.mark.parametrize("dropped", [False, True])
def test_softmax(items, rows, length, dropped):
    x, bias = normal(items, rows, length), np.where(random.random((items, length)) < 0.3, -1e4, 0).astype(np.float32)
    bias[:, 0] = 0
    dropout, factor = drawn(x.size) if dropped else (None, np.ones(x.size))
    factor, shares, left = factor.reshape(x.shape), x.copy(), empty(x)
    training.softmax(shares, bias, 0.5, dropout, left)
    logits = 0.5 * x.astype(np.float64) + bias[:, None]
    expected = np.exp(logits - logits.max(2, keepdims=True))
    expected /= expected.sum(2, keepdims=True)
    np.testing.assert_allclose(shares, expected, atol=1e-6)
    if dropped:
        np.testing.assert_allclose(left, expected * factor, atol=1e-6)

    gradient = normal(items, rows, length)
    given = gradient.astype(np.float64) * factor
    training.softmax_gradient(gradient, shares, 0.5, dropout)
    np.testing.assert_allclose(gradient, 0.5 * expected * (given - (given * expected).sum(2, keepdims=True)), atol=1e-6)


@pytest.mark.parametrize("rows, images, length, dim", [(1, 1, 1, 1), (7, 3, 5, 9), (40, 33, 32, 20)])
@pytest.mark.parametrize("masked", [False, True])
def test_best(rows, images, length, dim, masked):
    text, image = normal(rows, dim), normal(images, length, dim)
    image[:, -1] = image[:, 0]  # of equal ones the first
    bias = np.where(random.random((images, length)) < 0.3, -1e3, 0).astype(np.float32) if masked else None
    products = np.einsum("rd,imd->rim", text, image)
    products[..., -1] = products[..., 0]
    greatest, choice = np.empty((rows, images), np.float32), np.empty((rows, images), np.int32)
    training.best(products, bias, greatest, choice)
    found = products if bias is None else products + bias
    np.testing.assert_array_equal(greatest, found.max(2))
    np.testing.assert_array_equal(choice, found.argmax(2))

    g, of_text, of_image = normal(rows, images), empty(text), empty(image)
    training.best_gradient(g, choice, text, image, of_text, of_image)
    weights = g[..., None] * (np.arange(length) == choice[..., None]).astype(np.float64)
    np.testing.assert_allclose(of_text, np.einsum("rim,imd->rd", weights, image), atol=1e-4)
    np.testing.assert_allclose(of_image, np.einsum("rim,rd->imd", weights, text), atol=1e-4)


@pytest.mark.parametrize("count", [1, 31, 40000])
def test_adamw_and_the_sum_of_squares(count):
    weight, gradient, first, second = normal(count), normal(count), normal(count), normal(count) ** 2
    expected = [0.9 * first + 0.1 * gradient * 0.5, 0.99 * second + 0.01 * (gradient * 0.5) ** 2.0]
    expected.append(weight * 0.98 - 0.1 * expected[0] / (np.sqrt(expected[1]) + 1e-3))
    assert training.square_sum(gradient) == pytest.approx(float((gradient.astype(np.float64) ** 2).sum()), rel=1e-6)
    training.adamw(weight, gradient, first, second, rate=0.1, kept=0.98, betas=(0.9, 0.99), epsilon=1e-3, scale=0.5)
    for found, value in zip((first, second, weight), expected):
        np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-5)


def test_a_sum_is_the_same_on_any_number_of_threads(monkeypatch):
    g = normal(3000, 200)

    def sums(threads):
        monkeypatch.setattr(training, "_threads", lambda: threads)
        found = np.empty(200, np.float32)
        training.column_sums(g, found)
        return [*found, training.square_sum(g)]

    assert sums(1) == sums(2) == sums(5)
