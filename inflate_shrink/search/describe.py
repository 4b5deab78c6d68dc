"""What an index holds, in words."""

from __future__ import annotations

from ..json_values import JsonMapping
from .index import MANIFEST, UINT16, Index


def describe_index(index: Index) -> str:
    """Return an index's items, fields with their bytes, models and data, a line each."""
    settings, path = index.settings, index.directory / MANIFEST
    entries = index.manifest.segments
    files = [(name.rpartition("/")[2], entry.size) for segment in entries for name, entry in segment.files.items()]
    deleted = sum(segment.deleted for segment in entries)
    total = sum(size for _, size in files) + sum(entry.size for entry in index.manifest.files.values())
    lines = [
        f"{index.directory}: {len(index)} {settings.holds}, {total / 2**20:.1f} MiB; commit {index.commit}, "
        f"{len(entries)} segments"
        + (f", {deleted} deleted {settings.holds} still on disk (compact frees them)" if deleted else "")
    ]
    for name, field in settings.fields.items():
        rows = sum(segment.rows[name] for segment in entries)
        size = sum(size for file, size in files if file.split(".")[0] == name)
        what = "numbers of their nearest centroid" if field.precision == UINT16 else f"{field.dim} x {field.precision}"
        lines.append(
            f"{name}: {rows} rows of {what}, {size / 2**20:.1f} MiB, "
            f"{rows / max(1, sum(segment.items for segment in entries)):.1f} an item"
        )
    for name in ("model", "first"):
        if name in index.origin:
            model = index.origin.mapping(name).values("name", "codes", "fragments", "fingerprint", "checkpoint")
            lines.append(
                f"{name}: {model['name'] or 'unnamed'} ({model['codes']} codes, "
                f"fragments {model['fragments']}), weights {model['fingerprint']}, {model['checkpoint']}"
            )
    for part in index.manifest.data:
        data = JsonMapping(part, path, where="data").values("directory", "split", "fingerprint")
        lines.append(
            f"data: {data['directory']}, {'split ' + data['split'] if data['split'] else 'all'}, {data['fingerprint']}"
        )
    return "\n".join(lines)
