"""Indexes of the tiny data set, made with models of one epoch."""

import shutil

import pytest

from inflate_shrink.engine.checkpoint import open_checkpoint

SHAPES = {"B": (), "F": ("model.fragments=1",), "I": ("model.codes=3", "model.fragments=all")}  # B: four fragments


@pytest.fixture(scope="session")
def checkpoint(trained):
    """A function: B, F or I and its score_padding -> its checkpoint."""
    return lambda name, padding="counted": open_checkpoint(
        trained(*SHAPES[name], *([] if padding == "counted" else [f"model.score_padding={padding}"]))
    )


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
