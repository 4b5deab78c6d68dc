"""The search service: a page for people and HTTP for programs, of one or several indexes (docs/serve.md).

:mod:`.server` runs what :func:`.app.build_app` makes of a :class:`.collection.Collection`. It listens on this machine
alone unless told otherwise, and keeps no state of those who ask.
"""

from ..cpu import prepare_for_paddle
from ..lazy import lazy_names

prepare_for_paddle()
__getattr__, __all__ = lazy_names(
    __name__,
    {
        "app": ("build_app",),
        "collection": ("open_collection",),
        "server": ("serve",),
    },
)
