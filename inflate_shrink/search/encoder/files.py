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

import json
import zlib
from pathlib import Path

from ...errors import InputError
from ...checked_files import SMALL, FileEntry, FileList, measure

FORMAT = 1
GRAPHS, WEIGHTS, ONNX, VOCABULARY, META = ("model.json", "model.pdmodel"), "model.pdiparams", "model.onnx", "vocab.txt", "encoder.json"
_AGAIN = "copy it or export it again with tools/export.py"
_LISTED = FileList(META, "encoder", _AGAIN)


def write_meta(directory: Path, meta: dict) -> None:
    """Write ``encoder.json`` about all files that are in ``directory`` by now."""
    files = {path.name: measure(path) for path in sorted(directory.iterdir())}
    meta = {"format": FORMAT, **meta, "files": files}
    (directory / META).write_text(json.dumps({"crc32": _checksum_of(meta), **meta}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_meta(directory: Path, verify: bool = False) -> dict:
    """What ``encoder.json`` says, once the files are as it says: all sizes, and the checksums of small files or, with ``verify``, of all.

    Raises:
        InputError: ``directory`` is no exported encoder, or a file is missing, cut short or changed.
    """
    path = directory / META
    if not path.is_file():
        what = "not an exported encoder: encoder.json is missing" if directory.is_dir() else "no such directory"
        raise InputError(f"{directory}: {what}; tools/export.py makes an encoder")
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
        if meta.pop("crc32") != _checksum_of(meta):
            raise ValueError("its checksum is wrong")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise InputError(f"{path}: damaged ({error}); {_AGAIN}") from None
    if meta["format"] != FORMAT:
        raise InputError(f"{path}: format {meta['format']}, this version reads {FORMAT}; {_AGAIN}")
    for name, listed in meta["files"].items():
        entry = FileEntry(*listed)
        _LISTED.check(directory / name, entry, verify or entry.size <= SMALL)
    return meta


def _checksum_of(meta: dict) -> str:
    return f"{zlib.crc32(json.dumps(meta, sort_keys=True).encode()):08x}"
