"""The CLIP that an index of photos keeps, as what encodes its queries."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...extract.decode import open_photo
from ...extract.onnx_files import external_files
from ..encoders import CLIP
from ..index import Index
from ..index.manifest import LISTED
from .folder import FILES
from .networks import Encoded, PhotoNetwork, TextNetwork
from .tokens import ClipTokenizer

TOKENS = "tokens"  # the key there of the networks' output, see :class:`.networks.TextNetwork`


class ClipEncoders:
    """What :class:`..encoders.ModelEncoders` does, by a CLIP. The regions of a photo are its vectors already.

    A network is opened at its first use, after the checksums of its files were compared. Threads may share it.
    """

    takes_photos = True

    def __init__(self, index: Index, threads: int = 0):
        self._index, self._threads, self._lock = index, threads, threading.Lock()
        self._opened: dict[type, TextNetwork | PhotoNetwork] = {}

    @property
    def tokenizer(self) -> ClipTokenizer:
        """Return the tokenizer of texts."""
        return self._network(TextNetwork).tokenizer

    def text(self, query: str, vector: bool) -> tuple[np.ndarray, np.ndarray | None]:
        """Return a text's fragments, and with ``vector`` its one vector beside them."""
        found: Encoded = self._network(TextNetwork)([query])[0]
        return found.fragments, found.vector if vector else None

    def image(self, regions: np.ndarray, vector: bool) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the same of a photo, given what :meth:`describe` returned."""
        fields = self._index.settings.fields
        beside = len(fields) - 1  # the vector comes first
        dim = fields["fragments"].dim
        if regions.ndim != 2 or regions.shape[1] != dim or len(regions) <= beside:
            raise InputError(
                f"{self._index.directory}: regions of shape {regions.shape}, expected ({1 + beside} or more, {dim}) as its "
                "CLIP describes a photo; give a photo's file"
            )
        return regions[beside:], regions[0] if vector else None

    def describe(self, data: bytes, where: str, backbone: str = "", detector: str = "") -> np.ndarray:
        """Return the vectors (m, D) float32 of a photo's bytes; raises InputError if it is none."""
        if backbone or detector:
            raise InputError(
                f"{self._index.directory}: its photos were described by the CLIP that it keeps; leave out --backbone "
                "and --detector"
            )
        network = self._network(PhotoNetwork)
        return network.of_image(open_photo(data, where, min_side=network.pixels.min_side).image).joined()

    def _network(self, kind: type) -> TextNetwork | PhotoNetwork:
        with self._lock:
            if kind not in self._opened:
                check_files(self._index, kind.name)
                tokens = self._index.origin.mapping(CLIP).text(TOKENS)
                self._opened[kind] = kind(Path(self._index.directory, CLIP), tokens, self._threads)
            return self._opened[kind]


def check_files(index: Index, network: str) -> None:
    """Compare the checksums of all that a network is read from; raises InputError if a file has changed."""
    directory, files = index.directory / CLIP, index.manifest.files

    def check(path: Path) -> None:
        name = path.relative_to(index.directory).as_posix()
        if name not in files:
            raise InputError(f"{path}: is not of the index, whose manifest does not name it; build the index again")
        LISTED.check(path, files[name], contents=True)

    check(directory / network)
    for path in (*external_files(directory / network), *(directory / name for name in FILES[network])):
        if path.is_file():
            check(path)
