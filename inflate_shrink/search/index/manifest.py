"""The manifest: the one file that says what belongs to an index. Replacing it is a commit."""

from __future__ import annotations

import json
import shutil
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Callable, TypeVar

from ...atomic import atomic_path
from ...checked_files import ALL, NONE, FileEntry, FileList
from ...errors import InputError
from ...json_values import parse_json
from .manifest_values import DELETED, HOLDS, SEGMENTS, Manifest, parse_manifest

FORMAT, KIND = (
    2,
    "late_interaction",
)  # indexes without fields in LANES are written as format 1, which older versions read
MANIFEST = "manifest.json"
LISTED = FileList(MANIFEST, "index")
_AGAIN = "copy or build the index again"
# The checksum of all before it; the file is JSON with it.
_END = ',\n "crc32": "%08x"\n}\n'
Result = TypeVar("Result")


def manifest_bytes(manifest: Manifest) -> bytes:
    """Return the content of the file; raises InputError if a text of the settings or a file name is not Unicode."""
    in_lanes = any(field.bits for field in manifest.settings.fields.values())
    values = {"format": FORMAT if in_lanes else 1, "kind": KIND, **asdict(manifest)}
    values["settings"] = {HOLDS if key == "holds" else key: value for key, value in values["settings"].items()}
    text = json.dumps(values, indent=1, ensure_ascii=False)
    try:
        body = text[: -len("\n}")].encode("utf-8")
    except UnicodeEncodeError as error:
        wrong = text[max(0, error.start - 50) : error.end]
        raise InputError(f"{wrong!r} is not Unicode text, which an index cannot store; use other names") from None
    return body + (_END % zlib.crc32(body)).encode()


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Replace the manifest atomically; raises InputError if it cannot be written."""
    data = manifest_bytes(manifest)
    with atomic_path(directory / MANIFEST) as temporary:
        temporary.write_bytes(data)


def read_manifest(directory: Path) -> Manifest:
    """Read and check the manifest.

    Raises:
        InputError: there is none, it is damaged, or it is of a newer format or another kind of index.
    """
    path = directory / MANIFEST
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        what = f"not an index of fragments: {MANIFEST} is missing" if directory.is_dir() else "no such index"
        raise InputError(f"{directory}: {what}; tools/index.py build makes one") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    body = data[: -len(_END % 0)]
    if data[len(body) :] != (_END % zlib.crc32(body)).encode():
        raise InputError(f"{path}: its checksum is not that of its content; it is damaged, {_AGAIN}")
    kept = parse_json(data, path, _AGAIN)
    kind, of_format = kept.text("kind"), kept.whole("format", 1)
    if kind != KIND:
        raise InputError(f"{path}: an index of kind {kind!r}, expected {KIND!r}; build the index again")
    if of_format > FORMAT:
        raise InputError(
            f"{path}: of format {of_format}, this version reads up to {FORMAT}; "
            "use a newer version or build the index again"
        )
    return parse_manifest(kept)


def check_files(directory: Path, files: dict[str, FileEntry], contents: bool = False) -> None:
    """Compare sizes, or all ``contents``, of files by their path from the directory.

    Raises InputError that names one.
    """
    LISTED.check_within(directory, files, ALL if contents else NONE)


def at_latest(directory: Path, use: Callable[[Manifest], Result]) -> Result:
    """Return ``use`` of the manifest; once more with the next one if it fails because a writer removed what that one
    dropped.
    """
    manifest = read_manifest(directory)
    while True:
        try:
            return use(manifest)
        except InputError:
            latest = read_manifest(directory)
            if latest == manifest:
                raise
            manifest = latest


def remove_unnamed(directory: Path, *manifests: Manifest) -> None:
    """Remove what crashed writers left and compaction dropped: all that none of the manifests names.

    The lock must be held.
    """
    entries = [entry for manifest in manifests for entry in manifest.segments]
    named = {f"{SEGMENTS}/{entry.name}" for entry in entries} | {entry.deleted_file for entry in entries}
    for place in (SEGMENTS, DELETED):
        for path in (directory / place).glob("*"):
            if f"{place}/{path.name}" not in named:
                _remove(path)
    for path in directory.glob(f".{MANIFEST}.tmp-*"):
        _remove(path)


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError:  # it is a directory; and what cannot be removed only takes room
        shutil.rmtree(path, ignore_errors=True)
