"""What an index holds of each item; given when it is created and never changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...errors import InputError
from ...kernel import PRECISIONS, ROW_DTYPE, row_width
from ...kernel.lanes import ITEMS, lane_words

UINT16 = "uint16"  # the precision of a field of numbers of nearest centroids, which are kept as they come
LANES = {"int8x16": 8, "int4x16": 4}  # and of fields of one vector an item, 16 items side by side: bits of a number


@dataclass(frozen=True)
class FieldSettings:
    """The rows of one field.

    precision: float32, bfloat16 or int8 vectors of ``dim`` dimensions, one vector an item in LANES, or UINT16 with
    ``dim`` 1. center: (dim,) numbers
    that are taken from every vector before it is rounded, see :class:`inflate_shrink.kernel.StoredFragments`; None:
    zeros.
    """

    precision: str
    dim: int
    center: tuple[float, ...] | None = None

    def __post_init__(self):
        if self.center is not None:
            object.__setattr__(self, "center", tuple(map(float, self.center)))

    @property
    def center_vector(self) -> np.ndarray | None:
        """Return the center (dim,) float32, or None."""
        return None if self.center is None else np.array(self.center, np.float32)

    @property
    def dtype(self) -> np.dtype:
        """Return the type of the numbers that a row is stored in."""
        if self.precision in LANES:
            return np.dtype(np.uint8)
        return np.dtype(np.uint16) if self.precision == UINT16 else ROW_DTYPE[self.precision]

    @property
    def bits(self) -> int:
        """Return the bits of a number in LANES, 0 in any other precision."""
        return LANES.get(self.precision, 0)

    @property
    def has_scales(self) -> bool:
        """Return whether a scale of each row is stored beside it."""
        return self.precision == "int8" or self.precision in LANES

    @property
    def row_bytes(self) -> int:
        """Return how many bytes a row has on disk."""
        if self.bits:
            return 4 * lane_words(self.dim, self.bits)
        return self.dtype.itemsize * (1 if self.precision == UINT16 else row_width(self.dim, self.precision))

    def stored_rows(self, rows: int) -> int:
        """Return for how many rows there is room on disk: in LANES blocks of 16 are full."""
        return -(-rows // ITEMS) * ITEMS if self.bits else rows

    def shape(self, rows: int) -> tuple[int, ...]:
        """Return the shape of the array of so many rows on disk."""
        if self.bits:
            return -(-rows // ITEMS), lane_words(self.dim, self.bits), ITEMS, 4
        return (rows,) if self.precision == UINT16 else (rows, row_width(self.dim, self.precision))


@dataclass(frozen=True)
class IndexSettings:
    """holds: "images" or "captions"; fields: by name, in order; origin: JSON values, of the model for instance, kept as
    they are.

    Raises:
        InputError: a value is none of those.
    """

    holds: str
    fields: dict[str, FieldSettings]
    origin: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        if self.holds not in ("images", "captions"):
            raise InputError(f"an index holds images or captions, not {self.holds!r}")
        if not self.fields:
            raise InputError("an index has at least one field")
        for name, kind in self.fields.items():
            if not name.isidentifier() or name == "ids":
                raise InputError(f"{name!r} is no name for a field; use letters, such as fragments")
            known = (*PRECISIONS, UINT16, *LANES)
            if kind.precision not in known:
                raise InputError(f"field {name}: precision {kind.precision!r} is none of {', '.join(known)}")
            if kind.precision != UINT16:
                _require_dimensions(name, kind)
            elif kind.dim != 1:
                raise InputError(f"field {name}: {kind.dim} dimensions of {kind.precision}; expected 1")
            if kind.center is not None and (
                kind.precision == UINT16
                or kind.bits
                or len(kind.center) != kind.dim
                or not np.isfinite(kind.center).all()
            ):
                raise InputError(
                    f"field {name}: a center has as many finite numbers as the vectors, {kind.dim}; "
                    f"found {len(kind.center)}"
                )


def _require_dimensions(name: str, kind: FieldSettings) -> None:
    try:
        lane_words(kind.dim, kind.bits) if kind.bits else row_width(kind.dim, kind.precision)
    except InputError as error:
        raise InputError(f"field {name}: {error}") from None
