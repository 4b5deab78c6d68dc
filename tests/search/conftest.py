"""Indexes of the tiny data set, made with models of one epoch, and one of vectors for faiss."""

import shutil

import pytest
from faiss_items import DIM, FIRST, GONE, SECOND, add

import inflate_shrink  # noqa: F401  first, as everywhere
from inflate_shrink.search.index import UINT16, FieldSettings, IndexSettings, IndexWriter, create_index

SHAPES = {"B": (), "F": ("model.fragments=1",), "I": ("model.codes=3", "model.fragments=all")}  # B: four fragments


@pytest.fixture(scope="session")
def checkpoint(trained):
    """A function: B, F or I and its score_padding, or "weighed" -> its checkpoint."""
    from inflate_shrink.engine.checkpoint import open_checkpoint

    settings = {
        "counted": [],
        "masked": ["model.score_padding=masked"],
        "weighed": ["model.score_padding=masked", "model.text_weights=length", "model.code_input=pooled"],
    }
    return lambda name, padding="counted": open_checkpoint(trained(*SHAPES[name], *settings[padding]))


@pytest.fixture(scope="session")
def built(checkpoint, tiny_data, tmp_path_factory):
    """A function: the model, its score_padding, split, whether with F, fields of BuildSettings -> an index, made once and not to be changed."""
    from inflate_shrink.search.build import BuildSettings, Models, build_index

    made = {}

    def build(name="B", padding="counted", split="", first=False, **settings):
        key = (name, padding, split, first, *sorted(settings.items()))
        if key not in made:
            made[key] = tmp_path_factory.mktemp("built") / "index"
            models = Models(checkpoint(name, padding), checkpoint("F", padding) if first else None)
            build_index(made[key], models, tiny_data, split, BuildSettings(**{"precision": "float32", **settings}))
        return made[key]

    return build


@pytest.fixture
def own_index(built, tmp_path):
    """A function like ``built`` -> a copy that a test may change."""
    return lambda *arguments, **named: shutil.copytree(built(*arguments, **named), tmp_path / "index")


@pytest.fixture
def make_index(tmp_path):
    """A function: precision -> the directory of an index of two segments with deleted items."""

    def make(precision="int8"):
        fields = {
            "vector": FieldSettings(precision, DIM),
            "fragments": FieldSettings("int8", DIM),
            "codes": FieldSettings(UINT16, 1),
        }
        create_index(tmp_path / "index", IndexSettings("images", fields))
        with IndexWriter(tmp_path / "index") as writer:
            add(writer, 0, FIRST, 1)
            add(writer, FIRST, SECOND, 2)
            writer.delete([str(number) for number in GONE])
            writer.commit()
        return tmp_path / "index"

    return make
