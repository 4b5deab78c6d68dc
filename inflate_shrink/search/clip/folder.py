"""The folder of a CLIP as Hugging Face exports it to ONNX, and its copy in an index.

    vision_model.onnx, text_model.onnx   the networks, here or in onnx/; also of another variant, as *_quantized.onnx
    tokenizer.json                       of texts
    preprocessor_config.json             how a photo becomes pixels
    config.json, tokenizer_config.json   the kind of model, the longest text

Nothing in these files can run, nor name a file outside the folder.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from ...digest import hex_digest
from ...errors import InputError
from ...extract.onnx_files import external_files
from ...json_values import JsonMapping, parse_json

TEXT, VISION = "text_model.onnx", "vision_model.onnx"
TOKENIZER, PIXELS = "tokenizer.json", "preprocessor_config.json"
CONFIG, TOKENIZER_CONFIG = "config.json", "tokenizer_config.json"
AGAIN = "copy the folder again"
_MOST_JSON = 1 << 28  # bytes of one of the JSON files; the largest vocabularies have 35 MB
FILES = {TEXT: (TOKENIZER, CONFIG, TOKENIZER_CONFIG), VISION: (PIXELS, CONFIG)}  # what each network needs beside it
_OPTIONAL = (CONFIG, TOKENIZER_CONFIG)


def networks_of(directory: Path) -> dict[str, Path]:
    """Return the files of the two networks by TEXT and VISION: of the variant that both have, the full one first.

    Raises:
        InputError: it is no folder of a CLIP, or there are several variants and not the full one.
    """
    for place in (directory, directory / "onnx"):
        found = {
            path.stem[len("text_model") :]: {TEXT: path, VISION: place / path.name.replace("text_", "vision_", 1)}
            for path in sorted(place.glob("text_model*.onnx"))
        }
        whole = {variant: files for variant, files in found.items() if files[VISION].is_file()}
        if "" in whole or len(whole) == 1:
            return whole.get("") or next(iter(whole.values()))
        if whole:
            names = ", ".join(files[TEXT].name for files in whole.values())
            raise InputError(f"{place}: several variants of a CLIP: {names}; leave one and its vision_model there")
    what = (
        "no text_model.onnx with a vision_model.onnx, there or in onnx/" if directory.is_dir() else "no such directory"
    )
    raise InputError(f"{directory}: {what}; give the folder of a CLIP that was exported to ONNX (docs/clip.md)")


def read_json(directory: Path, name: str) -> JsonMapping:
    """Read one of the JSON files; one that may be missing is then empty. Raises InputError."""
    path = directory / name
    if not path.is_file():
        if name in _OPTIONAL:
            return JsonMapping({}, path, AGAIN)
        raise InputError(f"{path}: no such file; copy it from where the networks are from")
    if path.stat().st_size > _MOST_JSON:
        raise InputError(f"{path}: more than {_MOST_JSON} bytes; is it the right file?")
    return parse_json(path.read_bytes(), path, AGAIN)


def number_of(values: JsonMapping, *keys: str, most: int) -> int:
    """Return the whole number above 0 that keys lead to, one mapping in another; 0 where there is none, or it is larger
    than ``most``, which says that no limit was set."""
    found = values.value
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return int(found) if isinstance(found, (int, float)) and type(found) is not bool and 1 <= found <= most else 0


def copy_folder(source: Path, target: Path) -> None:
    """Copy what a CLIP needs, its networks under their plain names, into a new directory; raises InputError."""
    networks, target = networks_of(source), Path(target)
    target.mkdir()
    for name, path in networks.items():
        shutil.copyfile(path, target / name)
        for beside in external_files(path):
            copy = target / beside.relative_to(path.parent)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if not copy.exists():
                shutil.copyfile(beside, copy)
    for name in sorted({name for names in FILES.values() for name in names}):
        if read_json(source, name).value:
            shutil.copyfile(source / name, target / name)


def fingerprint(directory: Path) -> str:
    """Return the first digits of the SHA-256 of all files that vectors depend on; raises InputError as
    :func:`networks_of`."""
    networks = networks_of(directory)
    files = [file for path in networks.values() for file in (path, *external_files(path))]
    beside = {name for names in FILES.values() for name in names}
    return hex_digest([*files, *(directory / name for name in sorted(beside) if (directory / name).is_file())])
