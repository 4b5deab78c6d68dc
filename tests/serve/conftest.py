"""Two indexes of one model of the tiny data set, of images and of captions, and the service of both."""

import pytest

from inflate_shrink.serve.app import build_app
from inflate_shrink.serve.collection import open_collection

I_MODEL = ("model.codes=3", "model.fragments=all")


@pytest.fixture(scope="session")
def indexes(trained, tiny_data, tmp_path_factory):
    """The directories of an index of images with a fitted first stage, and of one of captions of the test split. Not to be changed."""
    from inflate_shrink.engine.checkpoint import open_checkpoint
    from inflate_shrink.search.build import BuildSettings, Models, build_index

    place, models = tmp_path_factory.mktemp("served"), Models(open_checkpoint(trained(*I_MODEL)))
    build_index(place / "images", models, tiny_data, "", BuildSettings(precision="float32", stage_bits=8, photos=True))
    build_index(place / "captions", models, tiny_data, "test", BuildSettings(holds="captions", precision="float32"))
    return place / "images", place / "captions"


@pytest.fixture(scope="session")
def collection(indexes):
    """Both, opened."""
    return open_collection(indexes, threads=1)


@pytest.fixture(scope="module")
def client(collection):
    """What asks a service of both."""
    from starlette.testclient import TestClient

    with TestClient(build_app(collection, "tiny"), base_url="http://localhost") as client:
        yield client
