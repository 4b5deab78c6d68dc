"""An index of fragments on disk, of images or of captions, that is searched memory-mapped and grows by commits.

    manifest.json           settings, commit number, and every other file with its size and checksum
    segments/NAME/          the items that one commit added:
        FIELD.rows          (R, w) fragments as :class:`inflate_shrink.kernel.StoredFragments` has them, or (R,) uint16
                            numbers of centroids
        FIELD.scales        (R,) float32, of int8 only
        FIELD.offsets       (N + 1,) int64, only where items have different numbers of rows
        ids.tsv             header ``id  file``, one line an item; file "" where there is none
        ids.offsets         (N + 1,) int64: where the lines begin, and the end of the last
        ids.lookup          (2, M) uint64: hashes of ids in ascending order, and their items
    deleted/SEGMENT.COMMIT  one bit an item
    lock                    held by the one writer
    and constant files that were there from the start, such as encoder/ and centroids.npy

No file is ever changed: a commit adds files and then replaces the manifest, which alone says what belongs to the
index. NumPy only: no model, no Paddle. docs/index_format.md says what a crash leaves and how large an index is.
"""

from .index import Index, open_index
from .manifest import MANIFEST
from .numbering import Numbering
from .segment import Segment
from .settings import LANES, UINT16, FieldSettings, IndexSettings
from .verify import verify_index
from .writer import IndexWriter, create_index

__all__ = [
    "LANES",
    "UINT16",
    "MANIFEST",
    "FieldSettings",
    "Index",
    "IndexSettings",
    "IndexWriter",
    "Numbering",
    "Segment",
    "create_index",
    "open_index",
    "verify_index",
]
