"""An exported encoder on disk: a directory that appears whole, with the size and checksum of each file.

    model.json        the graph, of Paddle 3; model.pdmodel of Paddle 2
    model.pdiparams   its weights
    model.onnx        the same for onnxruntime, where it was asked for
    vocab.txt         the WordPiece vocabulary, of an encoder of texts
    encoder.json      what it encodes and how, what it was made of, the other files; its own checksum

``encoder.json`` holds ``side`` (text or image), ``dim`` D, ``model`` (name, checkpoint, fingerprint of the weights,
codes, fragments, score_padding), ``paddle`` (the version), ``difference`` (the greatest, of each graph's fragments from
the model's), ``files``; for texts ``tokenizer`` and ``positions``, the least that the graph must be given however short
the texts; for images ``region_dim``.
"""

from __future__ import annotations

from pathlib import Path

from ...checked_files import ALL, SMALL, FileList
from ...errors import InputError
from ...json_values import JsonMapping

FORMAT = 1
GRAPHS, WEIGHTS, ONNX = ("model.json", "model.pdmodel"), "model.pdiparams", "model.onnx"
VOCABULARY, META = "vocab.txt", "encoder.json"
MOST_POSITIONS = 1 << 16  # the longest text: a batch is memory
_SIDES = ("text", "image")
_AGAIN = "copy it or export it again with tools/export.py"
_LISTED = FileList(META, "encoder", _AGAIN)


def write_meta(directory: Path, meta: dict) -> None:
    """Write ``encoder.json`` about all files that are in ``directory`` by now."""
    _LISTED.write(directory, {"format": FORMAT, **meta})


def read_meta(directory: Path, verify: bool = False) -> dict:
    """Read ``encoder.json``, once the files are as it says: all sizes, and the checksums of small files or, with
    ``verify``, of all.

    Raises:
        InputError: ``directory`` is no exported encoder, or a file is missing, cut short or changed.
    """
    path = directory / META
    if not path.is_file():
        what = "not an exported encoder: encoder.json is missing" if directory.is_dir() else "no such directory"
        raise InputError(f"{directory}: {what}; tools/export.py makes an encoder")
    meta = _LISTED.read(directory)
    kept = JsonMapping(meta, path, _AGAIN)
    if kept.whole("format") != FORMAT:
        raise InputError(f"{path}: format {meta['format']}, this version reads {FORMAT}; {_AGAIN}")
    _require_values(kept)
    _LISTED.check_within(directory, meta["files"], ALL if verify else SMALL)
    return meta


def _require_values(kept: JsonMapping) -> None:
    """Look at all that a reader of an encoder uses."""
    side = kept.text("side", _SIDES)
    kept.whole("dim", 1)
    kept.text("paddle")
    kept.mapping("model").text("fingerprint")
    names, needed = [*kept.mapping("files")], [WEIGHTS, *([VOCABULARY] if side == "text" else [])]
    if not set(needed) <= set(names) or not set(GRAPHS) & set(names):
        raise kept.damaged("files", f"{', '.join(needed)} or a graph is missing")
    if side == "image":
        kept.whole("region_dim", 1)
        return
    tokens = kept.mapping("tokenizer")
    tokens.whole("text_length", 1, MOST_POSITIONS)
    kept.whole("positions", 0, MOST_POSITIONS)
    for name in ("first_token", "last_token"):
        tokens.text(name)
