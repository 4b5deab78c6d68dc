"""Export one side of a checkpoint as a static graph, and check that it gives the model's fragments."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from tempfile import TemporaryFile, gettempdir

import numpy as np
import paddle
from paddle import nn
from paddle.static import InputSpec

from ...atomic import atomic_path, require_new
from ...data.vocabulary import read_vocabulary
from ...engine.checkpoint import Checkpoint
from ...errors import InputError
from ...model.encoder import DualEncoder
from ...predictor import open_onnx
from ...terminal import output_in
from .files import GRAPHS, ONNX, VOCABULARY, WEIGHTS, read_meta, write_meta
from .graph import open_graph

TOLERANCE = 1e-4  # a graph's fragments, which are unit vectors, may differ from the model's by this
_OPSET = 17
_OTHER_WAYS = {
    "visual_sparta": "tools/index.py build makes an inverted index of it",
    "cross": "tools/rerank.py scores its pairs",
}


def export_encoder(
    checkpoint: Checkpoint, directory: str | os.PathLike, side: str = "text", onnx: bool = False, called: str = ""
) -> dict:
    """Write the encoder of ``side`` (text or image) to a new directory, whole or not at all.

    Every graph is run and compared with the model before the directory gets its name.

    Args:
        onnx: also as an ONNX file, through paddle2onnx, which needs Paddle 3.
        called: what ``encoder.json`` calls the checkpoint (default: its directory).

    Returns:
        what ``encoder.json`` holds but for the files, see :mod:`.files`.

    Raises:
        InputError: the directory exists, the model's scoring has no such encoder, there is no vocabulary,
            the ONNX file cannot be made, or a graph does not give the model's fragments.
    """
    require_new(directory)
    config, scoring = checkpoint.config, checkpoint.config.model.scoring
    if scoring in _OTHER_WAYS:
        raise InputError(
            f"{checkpoint.directory}: its model.scoring is {scoring}, which is not exported: {_OTHER_WAYS[scoring]}"
        )
    if onnx:
        _require_paddle_3()
    tokenizer, model = checkpoint.tokenizer() if side == "text" else None, checkpoint.load_model()
    if tokenizer and tokenizer.vocab_size > model.vocab_size:
        raise InputError(
            f"{checkpoint.vocab_file}: {tokenizer.vocab_size} pieces, the model has {model.vocab_size}; "
            "it is of another model"
        )
    encoder = {"text": _Text, "image": _Image}[side](model)
    samples = [encoder.sample(length) for length in (config.data.text_length, 3)]
    with paddle.no_grad():
        expected = [[output.numpy() for output in encoder(*map(paddle.to_tensor, sample))] for sample in samples]
    meta = {
        "side": side,
        "dim": config.model.hidden,
        "model": {**checkpoint.origin(), **({"checkpoint": called} if called else {})},
        "paddle": paddle.__version__,
        **_inputs(checkpoint, side),
    }
    with atomic_path(directory) as temporary:
        temporary.mkdir()
        graph = _save(encoder, temporary)
        if tokenizer:
            (temporary / VOCABULARY).write_bytes(tokenizer.vocabulary)
        if onnx:
            _convert(temporary / graph, temporary / ONNX)
        written = {**meta, "files": [graph]}
        meta["difference"] = {
            name: _difference(open_graph(temporary, written, backend), samples, expected, directory, name)
            for backend, name in (("paddle", graph), ("onnx", ONNX))
            if (temporary / name).exists()
        }
        write_meta(temporary, meta)
    return meta


def add_onnx(directory: Path) -> None:
    """Add an ONNX file to an exported encoder, made of its Paddle graph and compared with it.

    ``encoder.json`` stays as it is: whoever adds the file keeps its checksum, as the manifest of an index does.

    Raises:
        InputError: the encoder is not whole, this is Paddle 2, or paddle2onnx cannot make the file.
    """
    _require_paddle_3()
    meta = read_meta(directory, verify=True)
    if meta["side"] == "text":
        size, length = len(read_vocabulary(directory / VOCABULARY)), meta["tokenizer"]["text_length"]
        samples = [_text_sample(size, positions) for positions in (length, max(3, meta["positions"]))]
    else:
        samples = [_image_sample(meta["region_dim"], length) for length in (10, 3)]
    run = open_graph(directory, meta, "paddle")
    expected = [run(*sample) for sample in samples]
    with atomic_path(directory / ONNX) as temporary:
        _convert(directory / next(name for name in GRAPHS if name in meta["files"]), temporary)
        _difference(open_onnx(temporary, 1).run, samples, expected, directory, ONNX)


def _require_paddle_3() -> None:
    if paddle.__version__.startswith("2."):
        raise InputError(
            f"an ONNX file is made by paddle2onnx, which needs Paddle 3; this is Paddle {paddle.__version__}: "
            "export without it"
        )


class _Text(nn.Layer):
    def __init__(self, model: DualEncoder):
        super().__init__()
        self.model = model

    def forward(self, ids):
        fragments = self.model.encode_text(ids)
        return _with_mask(fragments.vectors, fragments.mask)

    def specs(self):
        return [InputSpec([None, None], "int64", "ids")]

    def sample(self, length: int) -> list[np.ndarray]:
        return _text_sample(self.model.vocab_size, length)


class _Image(nn.Layer):
    def __init__(self, model: DualEncoder):
        super().__init__()
        self.model = model

    def forward(self, regions, counts):
        fragments = self.model.encode_image(regions, counts)
        return _with_mask(fragments.vectors, fragments.mask)

    def specs(self):
        return [
            InputSpec([None, None, self.model.region_dim], "float32", "regions"),
            InputSpec([None], "int64", "counts"),
        ]

    def sample(self, length: int) -> list[np.ndarray]:
        return _image_sample(self.model.region_dim, length)


def _text_sample(vocab_size: int, length: int) -> list[np.ndarray]:
    """Return ids (3, length) of texts that fill all positions, half of them, and one."""
    random, filled = np.random.default_rng(length), np.array([[length], [length // 2], [1]])
    ids = random.integers(1, vocab_size, (3, length))
    return [np.where(np.arange(length) < filled, ids, 0)]


def _image_sample(region_dim: int, length: int) -> list[np.ndarray]:
    """Return regions (3, length, region_dim) and counts (3,): all, half of them, and one."""
    random = np.random.default_rng(length)
    return [random.normal(size=(3, length, region_dim)).astype(np.float32), np.array([length, length // 2, 1])]


def _with_mask(vectors, mask):
    return vectors, paddle.ones_like(vectors[:, :, 0]) if mask is None else mask


def _save(encoder: nn.Layer, directory: Path) -> str:
    """Write graph and weights; returns the graph's file name."""
    with TemporaryFile("w+") as log, output_in(log), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            static = paddle.jit.to_static(encoder, input_spec=encoder.specs(), full_graph=True)
            paddle.jit.save(static, str(directory / "model"))
        except Exception:
            _require_room(
                Path(gettempdir())
            )  # without it Paddle leaves code as it was, and fails at what it then meets
            raise
    graph = next(name for name in GRAPHS if (directory / name).is_file())
    for path in directory.iterdir():
        if path.name not in (graph, WEIGHTS):
            path.unlink()  # Paddle 2 writes names for training on
    return graph


def _require_room(place: Path) -> None:
    """Raise OSError where not even a page can be written."""
    probe = place / f"inflate_shrink-{os.getpid()}"
    try:
        probe.write_bytes(bytes(4096))
    finally:
        probe.unlink(missing_ok=True)


def _convert(graph: Path, path: Path) -> None:
    with TemporaryFile("w+") as log:
        try:
            with output_in(log):
                import paddle2onnx

                paddle2onnx.export(
                    str(graph), str(graph.with_name(WEIGHTS)), str(path), opset_version=_OPSET, optimize_tool="None"
                )
        except Exception as error:
            log.seek(0)
            # Names the operator.
            said = [line.partition("Failed to convert")[2] for line in log if "Failed to convert" in line]
            why = " ".join((said or [str(error)])[-1].split())[:300]
            raise InputError(
                f"{ONNX}: paddle2onnx cannot make it with Paddle {paddle.__version__}: {why}; export without --onnx"
            ) from error


def _difference(run, samples, expected, directory, name: str) -> float:
    """Return the greatest difference of a graph's vectors and masks from the model's."""
    pairs = (pair for sample, arrays in zip(samples, expected) for pair in zip(run(*sample), arrays))
    greatest = max(float(np.abs(output - array).max()) for output, array in pairs)
    if not greatest < TOLERANCE:
        raise InputError(
            f"{directory}: {name} differs from the model by {greatest:.1e}, more than {TOLERANCE}; nothing was written"
        )
    return greatest


def _inputs(checkpoint: Checkpoint, side: str) -> dict:
    if side == "image":
        return {"region_dim": checkpoint.state["region_dim"]}
    text, model = checkpoint.config.data, checkpoint.config.model
    cut = {"text_length": text.text_length, "first_token": text.first_token, "last_token": text.last_token}
    # padding may be left out where it is masked, but codes come after it, and the first l fragments may end within them
    without = model.score_padding == "masked" and (model.fragments == "all" or not model.codes)
    positions = 0 if without else model.fragments_of(text.text_length)
    return {"tokenizer": cut, "positions": positions}
