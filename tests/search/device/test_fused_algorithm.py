"""The fused kernel's algorithm, its thread blocks run on the CPU under sanitizers, and what calls it on a GPU."""

import ctypes
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from inflate_shrink.kernel import StoredFragments, decode_rows, encode_rows
from inflate_shrink.search.device import fused
from inflate_shrink.search.device.rows import DeviceRows

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
SOURCES = HERE.parents[2] / "inflate_shrink" / "search" / "device" / "csrc"
CODE = {"float16": 0, "bfloat16": 1, "int8": 2}


@pytest.fixture(scope="module")
def emulate(tmp_path_factory):
    """A function: a problem of late_interaction.cuh -> (Q, N) scores."""
    if not shutil.which("g++"):
        pytest.skip("needs g++")
    program = tmp_path_factory.mktemp("emulated") / "emulated_gpu"
    flags = ["-std=c++17", "-O1", "-fno-strict-aliasing", "-Wall", "-Wextra", "-Werror"]
    sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command = ["g++", *flags, f"-I{SOURCES}", str(HERE / "emulated_gpu.cpp"), "-o", str(program)]
    if subprocess.run([*command, *sanitize], capture_output=True).returncode:  # no sanitizer's library here
        subprocess.run(command, check=True)

    def run(queries, rows, stored, items_per_block=16, begins=None, positions=None, m=32, shift=0):
        lengths = [len(query) for query in queries]
        width = rows.values.shape[1]
        fragments = np.zeros((sum(lengths), width), np.float16)
        fragments[:, : rows.dim] = np.concatenate([*queries, np.empty((0, rows.dim), np.float32)])
        begins, positions = (rows.offsets[:-1], rows.offsets) if begins is None else (begins, positions)
        settings = (
            len(queries),
            len(begins),
            len(fragments),
            len(rows.values),
            width,
            CODE[rows.precision],
            items_per_block,
        )
        numbers = np.array(
            [*settings, stored == "text", m, shift, *np.cumsum([0, *lengths]), *begins, *positions], np.int64
        )
        scales = b"" if rows.scales is None else rows.scales.tobytes()
        answer = subprocess.run(
            [str(program)],
            input=numbers.tobytes() + scales + fragments.tobytes() + rows.values.tobytes(),
            capture_output=True,
        )
        assert answer.returncode == 0, answer.stderr.decode()[:3000]
        return np.frombuffer(answer.stdout, np.float32).reshape(len(queries), len(begins))

    return run


def make_problem(lengths, query_lengths, dim, precision, seed=0):
    """Random unit vectors as queries and stored rows, the latter also as float64."""
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((sum(lengths) + sum(query_lengths), dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    stored, queries = vectors[: sum(lengths)], np.split(vectors[sum(lengths) :], np.cumsum(query_lengths)[:-1])
    offsets = np.cumsum([0, *lengths]).astype(np.int64)
    if precision == "float16":
        width = dim + dim % 2
        values = np.zeros((len(stored), width), np.float16)
        values[:, :dim] = stored
        return queries, StoredFragments(values, None, offsets, precision, dim), values[:, :dim].astype(np.float64)
    values, scales = encode_rows(stored, precision)
    return (
        queries,
        StoredFragments(values, scales, offsets, precision, dim),
        decode_rows(values, scales, precision, dim).astype(np.float64),
    )


def by_hand(queries, vectors, spans, stored):
    """Eq. 5 in float64: for each query and each item (a pair of first and last row)."""
    out = np.full((len(queries), len(spans)), -np.inf)
    for q, query in enumerate(queries):
        for i, (begin, end) in enumerate(spans):
            if begin < end and (stored == "image" or len(query)):
                products = vectors[begin:end] @ query.astype(np.float16).astype(np.float64).T
                out[q, i] = products.max(0).sum() if stored == "image" else products.max(1).sum()
    return out


RAGGED = [3, 0, 130, 1, 40, 0, 7, 128, 300, 2, 0]  # within a tile, over the edges of tiles, over three of them, empty
CASES = {  # rows of the items, fragments of the queries, dimension, items of a block, M
    "paper": ([32] * 9, [32, 32], 64, 4, 32),
    "ragged": (RAGGED, [5, 32, 1], 70, 4, 32),
    "long queries": (RAGGED, [33, 64, 0, 70], 66, 11, 64),
    "long queries, small tiles": (RAGGED, [33, 64, 0, 70], 66, 3, 32),
    "one vector": ([1] * 260, [1], 768, 128, 32),
    "odd": ([2, 5], [3], 33, 1, 32),
    "one number": ([1], [1], 1, 1, 32),
    "only empty items": ([0, 0], [2], 8, 2, 32),
}


@pytest.mark.parametrize("stored", ["image", "text"])
@pytest.mark.parametrize("precision", list(CODE))
@pytest.mark.parametrize("case", list(CASES))
def test_scores_are_eq_5(emulate, case, precision, stored):
    lengths, query_lengths, dim, items_per_block, m = CASES[case]
    queries, rows, vectors = make_problem(lengths, query_lengths, dim, precision)
    expected = by_hand(queries, vectors, list(zip(rows.offsets, rows.offsets[1:])), stored)
    found = emulate(queries, rows, stored, items_per_block, m=m)
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("precision", list(CODE))
def test_rows_need_not_begin_at_multiples_of_16_bytes(emulate, precision):
    queries, rows, vectors = make_problem([32, 9], [4], 64, precision)
    expected = by_hand(queries, vectors, list(zip(rows.offsets, rows.offsets[1:])), "image")
    np.testing.assert_allclose(emulate(queries, rows, "image", shift=4), expected, rtol=2e-6, atol=2e-6)


def test_chosen_items_in_any_order_and_twice(emulate):
    queries, rows, vectors = make_problem(RAGGED, [32, 7], 64, "int8")
    items = np.array([8, 0, 2, 2, 1, 9])
    begins, lengths = rows.offsets[items], np.diff(rows.offsets)[items]
    found = emulate(queries, rows, "image", 4, begins=begins, positions=np.cumsum([0, *lengths]))
    np.testing.assert_allclose(
        found, by_hand(queries, vectors, list(zip(begins, begins + lengths)), "image"), rtol=2e-6, atol=2e-6
    )


def test_bf16_from_the_smallest_to_the_largest_that_fp16_holds(emulate):
    numbers = np.float32([2.0**-14, -(2.0**-14), 1.0, -1.9921875, 65280.0, -65280.0, 0.0, 2.0**-30])
    rows = StoredFragments(*encode_rows(np.diag(numbers), "bfloat16"), np.arange(9), "bfloat16", 8)
    found = emulate([np.ones((1, 8), np.float32)], rows, "image")
    np.testing.assert_array_equal(found[0], [*numbers[:-1], 0.0])  # 2^-30 is less than half of fp16's smallest


def test_every_byte_of_int8(emulate):
    values = np.zeros((256, 4), np.uint8) + np.uint8(128)
    values[:, 1] = np.arange(256)
    rows = StoredFragments(values, np.full(256, 0.5, np.float32), np.arange(257), "int8", 4)
    found = emulate([np.eye(4, dtype=np.float32)[1:2]], rows, "image", 128)
    np.testing.assert_array_equal(found[0], (np.arange(256) - 128) / 2)


def memory_at(address, shape, dtype):
    """The array that lies there."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer((ctypes.c_char * size).from_address(address) if size else b"", dtype).reshape(shape)


@pytest.fixture
def pretended_gpu(emulate, monkeypatch):
    """The CPU as a GPU: FusedRows runs as it would there, its kernel emulated. Returns how many items each call had."""
    calls = []

    def late_interaction_scores(*given):
        (
            queries,
            query_offsets,
            n_queries,
            _,
            values,
            scales,
            precision,
            width,
            begins,
            positions,
            n,
            items_per_block,
            text,
            out,
            _,
        ) = (getattr(argument, "value", argument) for argument in given)
        calls.append(n)
        ends, positions = memory_at(query_offsets, [n_queries + 1], np.int64), memory_at(positions, [n + 1], np.int64)
        begins = memory_at(begins, [n], np.int64)
        count = int((begins + np.diff(positions)).max())
        stored = memory_at(values, [count, width], [np.float16, np.uint16, np.uint8][precision])
        rows = StoredFragments(
            stored, memory_at(scales, [count], np.float32) if scales else None, None, list(CODE)[precision], width
        )
        asked = np.split(memory_at(queries, [ends[-1], width], np.float16).astype(np.float32), ends[1:-1])
        found = emulate(asked, rows, "text" if text else "image", items_per_block, begins=begins, positions=positions)
        ctypes.memmove(out, found.ctypes.data, found.nbytes)
        return 0

    monkeypatch.setattr(paddle.device, "get_device", lambda: "gpu:0")
    monkeypatch.setattr(paddle.device.cuda, "get_device_capability", lambda: (8, 0))
    monkeypatch.setattr(
        paddle.device, "current_stream", lambda: SimpleNamespace(stream_base=SimpleNamespace(cuda_stream=0))
    )
    monkeypatch.setattr("inflate_shrink.search.device.rows.free_memory", lambda: 1 << 30)
    monkeypatch.setattr(DeviceRows, "_upload", lambda self, part: paddle.to_tensor(np.ascontiguousarray(part)))
    monkeypatch.setattr(
        fused, "cuda_library", lambda architectures: SimpleNamespace(late_interaction_scores=late_interaction_scores)
    )
    monkeypatch.setattr(fused, "device_pointer", lambda tensor: tensor.data_ptr())
    return calls


@pytest.mark.parametrize("stored", ["image", "text"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("resident", [None, False])
def test_fused_rows_hand_the_kernel_what_it_needs(pretended_gpu, precision, resident, stored):
    queries, rows, vectors = make_problem(RAGGED, [5, 0, 33], 35, precision)
    # Paddle 2.6 cuts fp16 on the CPU.
    tolerance = {"rtol": 1e-3, "atol": 1e-3} if precision == "float32" else {"rtol": 1e-5, "atol": 1e-5}
    kept = fused.FusedRows(rows, block_bytes=0 if resident is None else 150_000, resident=resident)
    assert kept.resident == (resident is None)
    items = np.array([8, 0, 4, 4, 1])
    for chosen in (None, items):
        begins, ends = (
            (rows.offsets[:-1], rows.offsets[1:]) if chosen is None else (rows.offsets[items], rows.offsets[items + 1])
        )
        found, expected = (
            kept.scores(queries, chosen, stored),
            by_hand(queries, vectors, list(zip(begins, ends)), stored),
        )
        np.testing.assert_allclose(found, expected, **tolerance)
    assert len(pretended_gpu) == 2 if kept.resident else len(pretended_gpu) > 2  # blocks
