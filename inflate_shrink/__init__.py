"""Inflate and Shrink: fast text-image retrieval with PaddlePaddle (EMNLP 2021).

    >>> import inflate_shrink as ins
    >>> model = ins.load_model("runs/demo/I-B")  # doctest: +SKIP
    >>> model.score(model.encode_texts(["a red ball"]), model.encode_images(regions, counts))  # doctest: +SKIP

Importing this package imports nothing else and changes nothing in the process: each name below is imported at its
first use. Those that need Paddle first set what it reads from the environment
(:func:`inflate_shrink.cpu.prepare_for_paddle`).
"""

from typing import TYPE_CHECKING

from .lazy import lazy_names

if TYPE_CHECKING:  # a type checker reads what lazy_names imports at run time
    from .data.store import open_store
    from .engine.checkpoint import open_checkpoint
    from .engine.loaded import load_model
    from .errors import InputError
    from .scoring import Fragments, late_interaction
    from .search.searcher import Searcher

__version__ = "0.1.0"
__getattr__, __all__ = lazy_names(
    __name__,
    {
        "data.store": ("open_store",),
        "engine.checkpoint": ("open_checkpoint",),
        "engine.loaded": ("load_model",),
        "errors": ("InputError",),
        "scoring": ("Fragments", "late_interaction"),
        "search.searcher": ("Searcher",),
    },
)


def __dir__() -> list:
    return sorted({*globals(), *__all__})
