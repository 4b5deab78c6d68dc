"""Other ways to compute exact late interaction on the CPU, each as its makers mean it to be called.

A peer is built of a collection and then scores one query at a time. Its libraries are imported when it is built:
each has a process of its own (:mod:`.worker`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from inflate_shrink import kernel
from inflate_shrink.cpu import AVX512


class Peer(ABC):
    """One way to score.

    name, precision: as shown, and of what is multiplied. packages: distributions that must be installed, the first is
    the one whose version is stated. environment: variables of its process. chunked: whether the number of images
    at a time matters; the benchmark finds the best one. flags: of /proc/cpuinfo, what the processor must be able to do.
    """

    name = precision = ""
    packages: tuple = ()
    environment: dict = {}
    chunked = False
    flags: frozenset = frozenset()

    def __init__(self, vectors: np.ndarray, threads: int):
        """Take the collection; vectors are (N, m, d) float32, normalised."""
        self.vectors = vectors

    @abstractmethod
    def score(self, query: np.ndarray, chunk: int) -> np.ndarray:
        """Score all images (N,) by a query (l, d) float32, ``chunk`` images at a time."""


class ChunkedPeer(Peer):
    """One that works through the collection some images at a time."""

    chunked = True

    def score(self, query: np.ndarray, chunk: int) -> np.ndarray:
        """Score all images (N,), ``chunk`` of them at a time."""
        prepared, total = self.prepare(query), len(self.vectors)
        return np.concatenate([self.part(prepared, slice(start, start + chunk)) for start in range(0, total, chunk)])

    def prepare(self, query: np.ndarray):
        """Return what :meth:`part` takes as its query."""
        return query

    @abstractmethod
    def part(self, query, images: slice) -> np.ndarray:
        """Score some images, (n,)."""


class Ours(Peer):
    """Our kernel, on its best path."""

    name, precision = "this package", "float32"

    def __init__(self, vectors: np.ndarray, threads: int):
        count, fragments, dim = vectors.shape
        offsets = np.arange(count + 1, dtype=np.int64) * fragments
        self.rows = kernel.StoredFragments(
            *kernel.encode_rows(vectors.reshape(-1, dim), self.precision), offsets, self.precision, dim
        )
        self.threads = threads

    def score(self, query: np.ndarray, chunk: int) -> np.ndarray:
        """Score all images (N,), by one call of the kernel."""
        return kernel.scores([query], self.rows, threads=self.threads)[0]


class OursBfloat16(Ours):
    """Our kernel on rows of bfloat16."""

    precision = "bfloat16"


class OursInt8(Ours):
    """Our kernel on rows of int8."""

    precision = "int8"


class Numpy(ChunkedPeer):
    """A product by NumPy's BLAS, then maxima and sums."""

    name, precision, packages = "numpy", "float32", ("numpy",)

    def part(self, query, images):
        """Score some images, (n,)."""
        block = self.vectors[images]
        products = block.reshape(-1, block.shape[2]) @ query.T
        return products.reshape(*block.shape[:2], -1).max(1).sum(1)


class NumpySkylakeX(Numpy):
    """On other makers' processors OpenBLAS may choose kernels without AVX-512; the variable chooses for it."""

    name, environment = "numpy, OPENBLAS_CORETYPE=SkylakeX", {"OPENBLAS_CORETYPE": "SkylakeX"}
    flags = AVX512


class Paddle(Peer):
    """This package's own function for training, :func:`inflate_shrink.scoring.late_interaction`."""

    name, precision, packages, chunked = "Paddle ops", "float32", ("paddlepaddle",), True

    def __init__(self, vectors, threads):
        import paddle

        self.vectors = paddle.to_tensor(vectors)

    def score(self, query, chunk):
        """Score all images (N,), so many products at a time as ``chunk`` images have."""
        import paddle

        from inflate_shrink.scoring import Fragments, late_interaction

        with paddle.no_grad():
            products = chunk * len(query) * self.vectors.shape[1]
            text, image = Fragments(paddle.to_tensor(query[None])), Fragments(self.vectors)
            return late_interaction(text, image, products)[:, 0].numpy()


class Torch(ChunkedPeer):
    """A product by torch, then maxima and sums."""

    name, precision, packages = "torch", "float32", ("torch",)

    def __init__(self, vectors, threads):
        import torch

        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        self.torch, self.vectors = torch, torch.from_numpy(vectors)

    def prepare(self, query):
        """Return the query as a tensor of the collection's dtype."""
        return self.torch.from_numpy(query).to(self.vectors.dtype)

    def part(self, query, images):
        """Score some images, (n,)."""
        block = self.vectors[images]
        products = block.reshape(-1, block.shape[2]) @ query.T
        return products.reshape(*block.shape[:2], -1).amax(1).sum(1, dtype=self.torch.float32).numpy()


class TorchBfloat16(Torch):
    """The same in bfloat16, summed in float32."""

    precision = "bfloat16"

    def __init__(self, vectors, threads):
        super().__init__(vectors, threads)
        self.vectors = self.vectors.bfloat16()


class TorchInt8(Torch):
    """With one scale for the whole collection, the maxima are of whole numbers."""

    name, precision = "torch._int_mm, one scale for all", "int8"

    def __init__(self, vectors, threads):
        super().__init__(vectors, threads)
        self.vectors, self.scale = self._quantize(self.vectors)

    def prepare(self, query):
        """Return the query as int8 and its scale."""
        return self._quantize(self.torch.from_numpy(query))

    def part(self, query, images):
        """Score some images, (n,)."""
        products = self._products(query[0], images)
        return (products.amax(1).sum(1) * (self.scale * query[1])).numpy()

    def _products(self, query, images):
        block = self.vectors[images]
        return self.torch._int_mm(block.reshape(-1, block.shape[2]), query.T).reshape(*block.shape[:2], -1)

    def _quantize(self, vectors):
        scale = vectors.abs().max() / 127
        return (vectors / scale).round().to(self.torch.int8), scale


class TorchInt8Rows(TorchInt8):
    """With a scale for each row, the products are scaled before the maxima."""

    name = "torch._int_mm, a scale a row"

    def part(self, query, images):
        """Score some images, (n,)."""
        products = self._products(query[0], images) * self.scale[images]
        return (products.amax(1) * query[1][:, 0]).sum(1).numpy()

    def _quantize(self, vectors):
        scale = vectors.abs().amax(-1, keepdim=True) / 127
        return (vectors / scale).round().to(self.torch.int8), scale


class Colbert(Torch):
    """``colbert_score_packed`` of ColBERT on the CPU: a matrix product, then the C++ extension that ColBERT compiles.

    A maximum below 0 counts as 0 there; it does not happen with many fragments.
    """

    name, packages = "ColBERT's CPU kernel", ("colbert-ai", "torch", "ninja")

    def __init__(self, vectors, threads):
        from torch.utils.cpp_extension import load

        super().__init__(vectors, threads)
        source = Path(find_spec("colbert").origin).parent / "modeling" / "segmented_maxsim.cpp"
        self.kernel = load(name="segmented_maxsim_cpp", sources=[str(source)], extra_cflags=["-O3"])

    def part(self, query, images):
        """Score some images, (n,)."""
        block = self.vectors[images]
        lengths = self.torch.full((len(block),), block.shape[1], dtype=self.torch.int64)
        return self.kernel.segmented_maxsim_cpp(block.reshape(-1, block.shape[2]) @ query.T, lengths).numpy()


class Pylate(Torch):
    """pylate's own function, as it is called for one query."""

    name, packages = "pylate colbert_scores", ("pylate", "torch")

    def __init__(self, vectors, threads):
        from pylate.scores import colbert_scores

        super().__init__(vectors, threads)
        self.colbert_scores = colbert_scores

    def part(self, query, images):
        """Score some images, (n,)."""
        return self.colbert_scores(query[None], self.vectors[images])[0].numpy()


class MaxsimCpu(Peer):
    """maxsim-cpu, which takes the whole collection at once."""

    name, precision, packages = "maxsim-cpu", "float32", ("maxsim-cpu",)

    def score(self, query, chunk):
        """Score all images (N,), whatever ``chunk``."""
        from maxsim_cpu import maxsim_scores

        return np.asarray(maxsim_scores(query, self.vectors))


OURS = (Ours, OursBfloat16, OursInt8)
PEERS = (Numpy, NumpySkylakeX, Paddle, Torch, Colbert, Pylate, MaxsimCpu, TorchBfloat16, TorchInt8, TorchInt8Rows)
