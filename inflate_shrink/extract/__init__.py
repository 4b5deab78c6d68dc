"""Photos to regions, by networks that are files."""

from ..cpu import prepare_for_paddle
from ..lazy import lazy_names

prepare_for_paddle()

__getattr__, __all__ = lazy_names(
    __name__,
    {
        "collection": ("Collected", "extract_collection"),
        "decode": ("Photo", "open_photo"),
        "extractor": ("Extractor", "ExtractorSettings"),
        "networks": ("Network",),
        "photos": ("PhotoFolder",),
        "presets": ("BACKBONES", "DETECTORS"),
        "record": ("PhotoDescriber",),
    },
)
