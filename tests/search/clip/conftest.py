"""A tiny CLIP, photos of colours, and indexes of them."""

import numpy as np
import pytest
from clips import write_clip
from PIL import Image

from inflate_shrink.data.bad_records import BadRecords
from inflate_shrink.extract.photos import PhotoFolder
from inflate_shrink.search.clip.build import ClipSettings, build_clip_index

NAMED = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


def save_photo(path, *colours):
    """A photo of 40 x 32 pixels, of one colour or its halves of two."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.empty((32, 40, 3), np.uint8)
    pixels[:, :20], pixels[:, 20:] = NAMED[colours[0]], NAMED[colours[-1]]
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "one")


@pytest.fixture(scope="session")
def tokens_clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "tokens", tokens=True, place="onnx", external=True)


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """Three photos of one colour, two of two, and a file that is no photo."""
    folder = tmp_path_factory.mktemp("colours") / "photos"
    for colour in NAMED:
        save_photo(folder / f"{colour}.png", colour)
    save_photo(folder / "more" / "both.png", "red", "blue")
    save_photo(folder / "more" / "other.png", "green", "blue")
    (folder / "notes.txt").write_text("Rome, May")
    return folder


@pytest.fixture(scope="session")
def build(photos, clip):
    """A function: the new index -> itself."""

    def build(out, folder=photos, clip=clip, bad=None, **settings):
        bad = bad or BadRecords(skip=True)
        build_clip_index(out, clip, PhotoFolder(folder), ClipSettings(**settings), bad=bad)
        return out

    return build


@pytest.fixture(scope="session")
def index(build, tmp_path_factory):
    """An index of one vector a photo; not to be changed."""
    return build(tmp_path_factory.mktemp("index") / "one")


@pytest.fixture(scope="session")
def tokens_index(build, tokens_clip, tmp_path_factory):
    """An index of four vectors a photo, with a first stage; not to be changed."""
    return build(tmp_path_factory.mktemp("index") / "tokens", clip=tokens_clip, tokens="token_embeds")
