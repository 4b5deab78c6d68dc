"""Indexes of photos without captions, by a CLIP: a network of texts and one of images, trained by others to give like
vectors to what belongs together (Radford et al. 2021). Not the paper's method: nothing is trained here.

A CLIP is a folder as Hugging Face exports it to ONNX (:mod:`.folder`); an index keeps a copy as ``clip/``.
"""

from ...cpu import prepare_for_paddle
from ...lazy import lazy_names

prepare_for_paddle()

__getattr__, __all__ = lazy_names(
    __name__,
    {
        "build": ("ClipSettings", "add_photos", "build_clip_index"),
        "networks": ("Encoded", "PhotoNetwork", "TextNetwork"),
    },
)
