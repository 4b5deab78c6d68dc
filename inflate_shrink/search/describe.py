"""What an index holds, in words."""

from __future__ import annotations

from ..json_values import JsonMapping
from .index import MANIFEST, UINT16, Index
from .stages import FITTED, Budgets, read_budgets


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
        side_by_side = f"{field.dim} x {field.bits} bits, 16 side by side"
        what = "numbers of their nearest centroid" if field.precision == UINT16 else f"{field.dim} x {field.precision}"
        what = side_by_side if field.bits else what
        lines.append(
            f"{name}: {rows} rows of {what}, {size / 2**20:.1f} MiB, "
            f"{rows / max(1, sum(segment.items for segment in entries)):.1f} an item"
        )
    if FITTED in settings.fields:
        lines += _describe_budgets(read_budgets(index))
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


def _describe_budgets(budgets: Budgets | None) -> list[str]:
    if budgets is None:
        return ["first stage: not measured, so every image is scored exactly"]
    lines = [
        f"first stage: correlation {budgets.correlation:.4f} with the exact scores, of {budgets.queries} queries and "
        f"{budgets.items} images; what finds a share of the exact best:",
        "    best   share  candidates  stops after  scored exactly   found",
    ]
    for row in budgets.rows:
        stop = f"{row.spreads:g} spreads" if row.spreads < float("inf") else "all"
        lines.append(f"{row.k:8d}  {row.recall:6g}  {row.first:10,d}  {stop:>11}  {row.scored:14,.0f}  {row.found:.4f}")
    return lines
