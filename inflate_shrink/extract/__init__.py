"""Photos to regions, by networks that are files."""

from ..cpu import prepare_for_paddle
from ..lazy import lazy_names

prepare_for_paddle()

__getattr__, __all__ = lazy_names(
    __name__,
    {
        "collection": ("Collected", "extract_collection"),
        "extractor": ("Extractor", "ExtractorSettings"),
        "networks": ("Network",),
        "photos": ("Photo", "PhotoFolder", "open_photo"),
        "presets": ("BACKBONES", "DETECTORS"),
        "record": ("PhotoDescriber",),
    },
)
