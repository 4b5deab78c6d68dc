"""Pictures of what a model does: its attention, and which region each word chose; ``tools/visualize.py`` draws them."""

from ..cpu import prepare_for_paddle
from ..lazy import lazy_names

prepare_for_paddle()
__getattr__, __all__ = lazy_names(
    __name__,
    {
        "draw": ("attention_pictures", "match_pictures"),
        "selection": ("Wanted",),
    },
)
