"""Building an index that is interrupted or refused: what is left, what is taken up, what is said."""

import json
import shutil

import numpy as np
import pytest
from index_items import QUERY, ids_of, same_root

from inflate_shrink.data.store import open_store
from inflate_shrink.engine import encode
from inflate_shrink.engine.checkpoint import open_checkpoint, write_checkpoint
from inflate_shrink.errors import InputError
from inflate_shrink.search import build as module
from inflate_shrink.search.build import BuildSettings, Models, add_to_index, build_index
from inflate_shrink.search.index import IndexWriter, open_index, verify_index
from inflate_shrink.search.searcher import Searcher


@pytest.fixture
def stopped_build(checkpoint, tiny_data, tmp_path, monkeypatch):
    """A function: what adding test-00002 raises -> a build that ended with it, as a function of changed settings, and what it said.

    Before that every batch of five images was committed.
    """
    models, real = Models(checkpoint("B"), checkpoint("F")), IndexWriter.add

    def build(split="", **settings):
        build_index(tmp_path / "new", models, tiny_data, split, BuildSettings(**{"precision": "float32", **settings}))

    def stop(error):
        def add(writer, ids, files, fields):
            if "test-00002" in ids:
                raise error
            return real(writer, ids, files, fields)

        monkeypatch.setattr(encode, "BATCH", 5)
        monkeypatch.setattr(module, "_COMMIT_ITEMS", 5)
        monkeypatch.setattr(IndexWriter, "add", add)
        with pytest.raises(type(error)) as raised:
            build()
        monkeypatch.setattr(IndexWriter, "add", real)
        assert not (tmp_path / "new").exists()
        return build, str(raised.value)

    return stop


def add_nothing(*arguments, **named):
    raise AssertionError("it was encoded or made again")


@pytest.mark.slow
def test_an_interrupted_build_goes_on(stopped_build, built, tiny_data, tmp_path, monkeypatch):
    """What a process that is killed leaves is what one leaves that is interrupted."""
    whole, partial = built("B", first=True), tmp_path / ".new.partial"
    build, _ = stopped_build(KeyboardInterrupt())
    kept = ids_of(partial / "content")
    assert kept == open_store(tiny_data).image_ids[: len(kept)] and kept
    (partial / "content" / ".manifest.json.tmp-1").touch()  # of a commit that was killed
    added, real = [], IndexWriter.add
    monkeypatch.setattr(IndexWriter, "add", lambda writer, ids, *rest: added.extend(ids) or real(writer, ids, *rest))
    monkeypatch.setattr(module, "create_empty", add_nothing)
    build()
    assert kept + added == ids_of(tmp_path / "new") == open_store(tiny_data).image_ids
    assert [path.name for path in tmp_path.iterdir()] == ["new"] and not list((tmp_path / "new").glob(".*"))
    verify_index(tmp_path / "new")
    expected = {hit.id: hit.score for hit in Searcher(whole).search(QUERY, k=42)}
    assert {hit.id: hit.score for hit in Searcher(tmp_path / "new").search(QUERY, k=42)} == pytest.approx(
        expected, abs=1e-6
    )


@pytest.mark.slow
def test_a_build_of_other_settings_begins_anew(stopped_build, tmp_path):
    build, _ = stopped_build(KeyboardInterrupt())
    (tmp_path / ".new.partial" / ".content.tmp-1").mkdir()  # of an index that was killed before it was there
    build(split="val", precision="int8")
    index = open_index(tmp_path / "new")
    assert (
        len(index) == 8
        and index.settings.fields["fragments"].precision == "int8"
        and [path.name for path in tmp_path.iterdir()] == ["new"]
    )


@pytest.mark.slow
def test_bad_items_leave_nothing(stopped_build, tmp_path):
    _, message = stopped_build(
        InputError(
            f"{tmp_path / '.new.partial' / 'content'}: item 'test-00002': field fragments: holds a number that is NaN"
        )
    )
    assert (
        message == f"{tmp_path / 'new'}: item 'test-00002': field fragments: holds a number that is NaN"
        and not list(tmp_path.iterdir())
    )


@pytest.mark.slow
def test_bad_data_leave_nothing(checkpoint, own_data, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CENTER_SAMPLE", 4)
    regions = np.load(own_data / "regions.npy", mmap_mode="r+")
    regions[open_store(own_data).image_ids.index("test-00002"), 0, 0] = np.nan
    regions.flush()
    with pytest.raises(InputError, match=r"regions.npy: row \d+ \(image test-00002\) contains NaN"):
        build_index(tmp_path / "new" / "index", Models(checkpoint("B")), own_data)
    assert not list((tmp_path / "new").iterdir())


@pytest.mark.slow
def test_a_full_disk_is_said_and_the_build_goes_on(stopped_build, tmp_path, monkeypatch):
    full = OSError(28, "No space left on device")
    failed = InputError(
        f"{tmp_path / '.new.partial' / 'content'}: cannot be written: {full.strerror}; the index is as it was"
    )
    failed.__cause__ = full
    build, message = stopped_build(failed)
    assert (
        message
        == f"{tmp_path / 'new'}: cannot be written: No space left on device; what was written so far is kept, the same call goes on from there"
    )
    monkeypatch.setattr(module, "create_empty", add_nothing)
    build()
    assert len(open_index(tmp_path / "new")) == 42


@pytest.fixture(scope="module")
def other_words(checkpoint, tmp_path_factory):
    """B with one word more in its vocabulary."""
    of = checkpoint("B")
    directory = shutil.copytree(of.directory, tmp_path_factory.mktemp("words") / "step")
    (directory / "files.json").unlink()
    with open(directory / "vocab.txt", "a") as file:
        file.write("xylophone\n")
    return open_checkpoint(directory)


def test_models_that_do_not_fit(checkpoint, trained, other_words):
    for given, message in (
        (
            (open_checkpoint(trained("model.scoring=cross", "loss.candidates=2")),),
            "its model.scoring is cross; this index takes late_interaction only",
        ),
        (
            (checkpoint("B"), checkpoint("I")),
            "keeps all fragments; the first stage takes a model with one, such as B-F",
        ),
        ((other_words, checkpoint("F")), "different vocabularies, text lengths or tokens"),
    ):
        with pytest.raises(InputError, match=message):
            Models(*given)


@pytest.mark.slow
def test_another_model_is_not_added(own_index, checkpoint, tiny_data):
    directory = own_index("B", split="val", first=True)
    b, f = checkpoint("B"), checkpoint("F")  # masked, B has the same weights: no caption is shorter than its fragments
    for models, option in (
        (Models(b), "--first"),
        (Models(f, f), "--checkpoint"),
        (Models(checkpoint("B", "masked"), f), "--checkpoint"),
    ):
        with pytest.raises(
            InputError,
            match=f"made with weights [0-9a-f]{{16}} .* for {option}, given were .*; give the same checkpoint",
        ):
            add_to_index(directory, models, tiny_data)
    assert len(open_index(directory)) == 8


def test_an_f_is_not_added_to_an_index_without_one(own_index, checkpoint, tiny_data):
    with pytest.raises(InputError, match="made with weights none for --first, given were [0-9a-f]{16}"):
        add_to_index(own_index("B", split="val"), Models(checkpoint("B"), checkpoint("F")), tiny_data)


def test_data_that_do_not_fit(own_index, checkpoint, own_data, tmp_path):
    directory, models = own_index("B", split="val"), Models(checkpoint("B"))
    same_root(own_data, directory)
    with pytest.raises(InputError, match="no caption of split 'none'"):
        add_to_index(directory, models, own_data, "none")
    narrow(own_data)
    with pytest.raises(InputError, match="regions have 3 dimensions, .* was trained on"):
        add_to_index(directory, models, own_data)
    with pytest.raises(InputError, match="regions have 3 dimensions"):
        build_index(tmp_path / "new", models, own_data)
    assert not (tmp_path / "new").exists() and len(open_index(directory)) == 8


def narrow(data):
    """Cut the regions of a data set to three dimensions."""
    meta = json.loads((data / "meta.json").read_text())
    (data / "files.json").unlink(missing_ok=True)
    regions = np.load(data / "regions.npy")[..., :3]
    np.save(data / "regions.npy", regions)
    (data / "meta.json").write_text(json.dumps({**meta, "regions_shape": list(regions.shape)}))


def test_build_refused(built, checkpoint, tiny_data, tmp_path):
    models = Models(checkpoint("B"))
    with pytest.raises(InputError, match="already exists and is not replaced"):
        build_index(built("B"), models, tiny_data)
    with pytest.raises(InputError, match="centroids are .* of an index of images"):
        build_index(tmp_path / "new", models, tiny_data, "", BuildSettings("captions", centroids=16))
    with pytest.raises(InputError, match="no caption of split 'none'"):
        build_index(tmp_path / "new", models, tiny_data, "none")
    assert not list(tmp_path.iterdir())


def test_a_diverged_model(checkpoint, tiny_data, tmp_path):
    of = checkpoint("B")
    model = of.load_model()
    for parameter in model.parameters():
        parameter.set_value(np.full(parameter.shape, np.nan, np.float32))
    write_checkpoint(tmp_path / "step", model, of.config, of.vocab_file.read_bytes(), of.state)
    with pytest.raises(InputError) as error:
        build_index(tmp_path / "new", Models(open_checkpoint(tmp_path / "step")), tiny_data)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "new").exists()
