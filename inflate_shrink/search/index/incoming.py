"""EncodedItems on their way into a segment: checked, then encoded as they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...errors import InputError
from ...kernel import encode_rows
from ...kernel.lanes import encode_lanes
from .ids import format_lines
from .settings import UINT16, FieldSettings, IndexSettings


class EncodedRows(NamedTuple):
    """The rows of n items in one field, as they are stored, those of LANES not yet side by side: R of w numbers each."""

    values: np.ndarray  # (R, w), or (R,) numbers of centroids
    scales: np.ndarray | None  # (R,) float32
    lengths: np.ndarray  # (n,) rows of each item


class EncodedItems(NamedTuple):
    """n items as they are stored, with their rows by field."""

    ids: list[str]
    lines: list[bytes]  # their lines of ids.tsv
    fields: dict[str, EncodedRows]


def encode_items(
    where: object, settings: IndexSettings, ids: Sequence[str], files: Sequence[str], fields: dict
) -> EncodedItems:
    """Check and encode what :meth:`.writer.IndexWriter.add` is given.

    Raises InputError that begins with ``where`` and names the item.
    """
    lines = format_lines(where, ids, files)
    if set(fields) != set(settings.fields):
        expected, found = ", ".join(settings.fields), ", ".join(fields) or "none"
        raise InputError(f"{where}: item {ids[0]!r}: expected the fields {expected}, found {found}")
    return EncodedItems(
        list(ids),
        lines,
        {name: _encode(f"{where}: item", ids, name, kind, *fields[name]) for name, kind in settings.fields.items()},
    )


def _encode(
    item: str, ids: Sequence[str], name: str, kind: FieldSettings, values: np.ndarray, lengths: Sequence[int]
) -> EncodedRows:
    values, lengths = np.asarray(values), np.asarray(lengths)
    if lengths.shape != (len(ids),) or lengths.dtype.kind not in "iu":
        raise InputError(
            f"{item} {ids[0]!r}: field {name}: expected the numbers of rows of {len(ids)} items, "
            f"found {lengths.dtype} {lengths.shape}"
        )
    lengths = lengths.astype(np.int64)
    if lengths.min() < 1:
        raise InputError(f"{item} {ids[int(lengths.argmin())]!r}: field {name}: has no rows")
    rows = int(lengths.sum())
    shape, letters, words = (rows, kind.dim), "f", "floating-point numbers"
    if kind.precision == UINT16:
        shape, letters, words = (rows,), "u", UINT16
    if values.shape != shape or values.dtype.kind not in letters or kind.precision == UINT16 and values.dtype != UINT16:
        raise InputError(
            f"{item} {ids[0]!r}: field {name}: expected {shape} {words}, found {values.shape} {values.dtype}"
        )
    if kind.precision == UINT16:
        return EncodedRows(np.ascontiguousarray(values), None, lengths)
    with np.errstate(over="ignore"):
        values = values.astype(np.float32, copy=False)
    wrong = np.flatnonzero(~np.isfinite(values).all(1))
    if len(wrong):
        row = int(np.searchsorted(np.cumsum(lengths), wrong[0], side="right"))
        raise InputError(f"{item} {ids[row]!r}: field {name}: holds a number that is NaN, infinite or too large")
    if kind.bits:
        if lengths.max() > 1:
            raise InputError(f"{item} {ids[int(lengths.argmax())]!r}: field {name}: has more than one vector")
        return EncodedRows(*encode_lanes(values, kind.bits), lengths)
    return EncodedRows(*encode_rows(values, kind.precision, center=kind.center_vector), lengths)
