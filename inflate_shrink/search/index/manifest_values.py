"""What a manifest says, read from its JSON: keys and types are checked, and numbers against the sizes of the files.

So what passes can be mapped: a number of items or rows that the listed files do not hold never becomes an address.
That the files have their sizes, and lie in the index, is left to :func:`.manifest.check_files`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from ...checked_files import FileEntry, parse_files
from ...errors import InputError
from ...json_values import JsonMapping
from .ids import HEADER
from .settings import FieldSettings, IndexSettings

SEGMENTS, DELETED = "segments", "deleted"
HOLDS = "items"  # the key of IndexSettings.holds in the file


@dataclass(frozen=True)
class SegmentEntry:
    """A segment as the manifest has it."""

    name: str
    items: int  # deleted ones are counted
    deleted: int
    deleted_file: str  # path of their bits from the directory of the index, "" where there are none
    rows: dict[str, int]  # the rows of each field
    rows_per_item: dict[str, int]  # only fields whose items all have as many; others have a file FIELD.offsets
    files: dict[str, FileEntry]  # their paths from the directory of the index are the keys


@dataclass(frozen=True)
class Manifest:
    """What belongs to an index at one commit."""

    settings: IndexSettings
    commit: int
    files: dict[str, FileEntry]  # the constant ones
    segments: tuple[SegmentEntry, ...]
    data: tuple[dict, ...] = ()  # the data sets that items were added from, each once: JSON values, kept as they are


def parse_manifest(kept: JsonMapping) -> Manifest:
    """Read a manifest from its JSON.

    Raises InputError that names the key of what is missing, unknown, of another type, or not in agreement with the
    rest.
    """
    kept.only("format", "kind", *_names(Manifest), "crc32")
    settings = _parse_settings(kept.mapping("settings"))
    segments = tuple(_parse_segment(segment, settings) for segment in kept.mappings("segments"))
    if len({segment.name for segment in segments}) < len(segments):
        raise kept.damaged("segments", "one is named twice")
    if "data" in kept:
        data = [part.value for part in kept.mappings("data")]
    else:  # older manifests name only the first
        data = [settings.origin["data"]] if isinstance(settings.origin.get("data"), dict) else []
    return Manifest(settings, kept.whole("commit"), parse_files(kept.mapping("files")), segments, tuple(data))


def _parse_settings(kept: JsonMapping) -> IndexSettings:
    kept.only(HOLDS, "fields", "origin")
    given = kept.mapping("fields")
    kinds = {name: _parse_field(given.mapping(name)) for name in given}
    try:
        return IndexSettings(kept.text(HOLDS), kinds, kept.mapping("origin").value)
    except InputError as error:
        raise kept.damaged("fields", str(error)) from None


def _parse_field(kept: JsonMapping) -> FieldSettings:
    kept.only(*_names(FieldSettings))
    center = kept.numbers("center") if "center" in kept and kept.get("center") is not None else None
    return FieldSettings(kept.text("precision"), kept.whole("dim", 1), center)


def _parse_segment(kept: JsonMapping, settings: IndexSettings) -> SegmentEntry:
    kept.only(*_names(SegmentEntry))
    name, items, deleted_file = kept.text("name"), kept.whole("items", 1), kept.text("deleted_file")
    if not name or name in (".", "..") or "/" in name:
        raise kept.damaged("name", f"{name!r} is no name of a directory")
    deleted = kept.whole("deleted", 1 if deleted_file else 0, items if deleted_file else 0)
    counts, each = kept.mapping("rows"), kept.mapping("rows_per_item")
    rows = {field: counts.only(*settings.fields).whole(field, items) for field in settings.fields}
    rows_per_item = {field: each.only(*settings.fields).whole(field, 1) for field in each}
    for field, number in rows_per_item.items():
        if rows[field] != items * number:
            raise kept.damaged("rows_per_item", f"{items} items of {number} rows are not {rows[field]}, as rows says")
    entry = SegmentEntry(name, items, deleted, deleted_file, rows, rows_per_item, parse_files(kept.mapping("files")))
    _require_sizes(kept, entry, settings)
    return entry


def _require_sizes(kept: JsonMapping, entry: SegmentEntry, settings: IndexSettings) -> None:
    """Compare the sizes of a segment's files with what they hold."""
    sizes = {
        "ids.tsv": (len(HEADER) + 3 * entry.items, None),
        "ids.offsets": (8 * (entry.items + 1),) * 2,
        "ids.lookup": (16, 16 * entry.items),
    }
    for field, kind in settings.fields.items():
        rows = entry.rows[field]
        stored = kind.stored_rows(rows)
        sizes[f"{field}.rows"] = (stored * kind.row_bytes,) * 2
        if kind.has_scales:
            sizes[f"{field}.scales"] = (4 * stored,) * 2
        if kind.bits and entry.rows_per_item.get(field) != 1:
            raise kept.damaged("rows_per_item", f"{field} does not hold one vector an item")
        if field not in entry.rows_per_item:
            sizes[f"{field}.offsets"] = (8 * (entry.items + 1),) * 2
    expected = {f"{SEGMENTS}/{entry.name}/{name}": bounds for name, bounds in sizes.items()}
    if entry.deleted_file:
        if not entry.deleted_file.startswith(f"{DELETED}/{entry.name}."):
            raise kept.damaged("deleted_file", f"{entry.deleted_file!r} is none of this segment")
        expected[entry.deleted_file] = (-(-entry.items // 8),) * 2
    if set(entry.files) != set(expected):
        raise kept.damaged("files", f"they are not {', '.join(expected)}")
    for name, (least, most) in expected.items():
        size = entry.files[name].size
        if size < least or most is not None and size > most or name.endswith("ids.lookup") and size % 16:
            raise kept.damaged("files", f"{name} has {size} bytes, which are not those of {entry.items} items")


def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))
