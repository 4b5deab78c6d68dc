"""The teacher of distillation: its scores from disk are its scores, and it has to fit the data."""

import errno
import os
import shutil

import numpy as np
import paddle
import pytest

from inflate_shrink.config import DataConfig, DistillConfig
from inflate_shrink.data import npy
from inflate_shrink.data.batches import epoch_batches
from inflate_shrink.data.store import open_store
from inflate_shrink.data.tokenized import open_training_data
from inflate_shrink.data.writer import StoreWriter
from inflate_shrink.engine.checkpoint import open_checkpoint
from inflate_shrink.engine.steps import distill, train
from inflate_shrink.engine.teacher import Teacher
from inflate_shrink.errors import InputError

COUNTED = ("model.codes=3", "model.fragments=all")
MASKED = (*COUNTED, "model.score_padding=masked")
CACHE = "teacher_fragments"


@pytest.fixture(scope="module")
def data(tiny_data):
    return open_training_data(DataConfig(dir=str(tiny_data)), 8)


@pytest.fixture
def batch(data):
    return next(epoch_batches(data.store, data.train, 32, seed=0, epoch=0))


@pytest.fixture
def make(data, tmp_path):
    """A function: run directory and keys of DistillConfig -> the teacher and its lines of log."""

    def make(run, cache_dir=tmp_path / CACHE, **keys):
        lines = []
        teacher = Teacher(DistillConfig(**keys), open_checkpoint(run))
        teacher.prepare(data, cache_dir, lines.append)
        return teacher, lines

    return make


@pytest.mark.parametrize("overrides", [COUNTED, MASKED, ("model.fragments=2",)], ids=["all", "masked", "two"])
def test_scores_from_disk_are_the_teachers(make, trained, batch, tmp_path, overrides):
    run = trained(*overrides)
    cached, online = make(run)[0], make(run, cache_gb=0)[0]
    assert cached.cache is not None and online.cache is None
    ours, expected = cached.scores(batch), online.scores(batch)
    assert ours.shape == [32, 32] and ours.stop_gradient
    np.testing.assert_allclose(ours.numpy(), expected.numpy(), atol=5e-3)  # sums of up to 35 cosines in fp16
    assert np.ptp(expected.numpy()) > 0.05
    masks = {path.name for path in (tmp_path / CACHE).glob("*_mask.npy")}
    assert masks == ({"text_mask.npy", "image_mask.npy"} if overrides is MASKED else set())


def test_rows_are_images_and_columns_texts(make, trained, batch):
    teacher = make(trained(*COUNTED))[0]
    scores = teacher.scores(batch).numpy()
    one_image = batch._replace(
        regions=batch.regions[[5] * 32], counts=batch.counts[[5] * 32], images=batch.images[[5] * 32]
    )
    np.testing.assert_allclose(teacher.scores(one_image).numpy(), np.tile(scores[5], (32, 1)), atol=1e-5)


def test_fragments_are_written_once(make, trained, batch, tmp_path):
    run = trained(*COUNTED)
    first, lines = make(run)
    assert any("writing its fragments" in line for line in lines)
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / CACHE).iterdir()}
    second, lines = make(run)
    assert lines == []
    assert written == {path: path.stat().st_mtime_ns for path in (tmp_path / CACHE).iterdir()}
    np.testing.assert_array_equal(second.scores(batch).numpy(), first.scores(batch).numpy())


def test_fragments_of_another_teacher_are_replaced(make, trained, batch):
    make(trained(*COUNTED))
    other = trained(*COUNTED, "run.seed=1")
    teacher, lines = make(other)
    assert len(lines) == 1
    np.testing.assert_allclose(
        teacher.scores(batch).numpy(), make(other, cache_gb=0)[0].scores(batch).numpy(), atol=5e-3
    )


def test_fragments_of_the_same_weights_in_another_model_are_replaced(make, trained, batch, tmp_path):
    run, fewer = trained(*COUNTED), tmp_path / "fewer"
    make(run)
    shutil.copytree(open_checkpoint(run).directory, fewer)
    config = (fewer / "config.yaml").read_text()
    (fewer / "files.json").unlink()
    (fewer / "config.yaml").write_text(config.replace("fragments: all", "fragments: 1"))
    teacher, lines = make(fewer)
    assert len(lines) == 1
    assert np.abs(teacher.scores(batch).numpy()).max() < 1.01  # one cosine


@pytest.mark.parametrize("killed", ["before the fragments were whole", "right after"])
def test_leftovers_of_a_killed_writer_are_removed(make, trained, tmp_path, killed):
    if killed == "right after":
        make(trained(*COUNTED))
    leftover = tmp_path / f".{CACHE}.tmp-99999999"
    leftover.mkdir()
    (leftover / "text.npy").write_text("half")
    make(trained(*COUNTED))
    assert sorted(path.name for path in tmp_path.iterdir()) == [CACHE]


def test_unfinished_cache_is_not_used(make, trained, tmp_path):
    make(trained(*COUNTED))
    (tmp_path / CACHE / "files.json").unlink()
    assert len(make(trained(*COUNTED))[1]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "missing"])
@pytest.mark.parametrize("name", ["text.npy", "image_mask.npy", "files.json"])
def test_damaged_fragments_are_written_again(make, trained, batch, tmp_path, damage, name):
    run, path = trained(*MASKED), tmp_path / CACHE / name
    expected = make(run)[0].scores(batch).numpy()
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(
        {
            "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "cut": whole[:-9],
            "empty": b"",
        }.get(damage, b"")
    )
    if damage == "missing":
        path.unlink()
    teacher, lines = make(run)
    assert len(lines) == 1 and "writing its fragments" in lines[0]
    assert str(path) in lines[0] or (damage, name) == ("missing", "files.json")
    np.testing.assert_array_equal(teacher.scores(batch).numpy(), expected)
    assert make(run)[1] == []


@pytest.mark.parametrize("cache_gb, said", [(0, []), (1e-6, ["encoding every batch instead"])])
def test_without_room_on_disk_every_batch_is_encoded(make, trained, tmp_path, cache_gb, said):
    teacher, lines = make(trained(*COUNTED), cache_gb=cache_gb)
    assert teacher.cache is None and not (tmp_path / CACHE).exists()
    assert len(lines) == len(said) and all(part in line for part, line in zip(said, lines))


def test_needed_room_is_what_is_written(make, trained, data, tmp_path):
    teacher, _ = make(trained(*COUNTED))
    size = sum(np.load(path, mmap_mode="r").nbytes for path in (tmp_path / CACHE).glob("*.npy"))
    assert teacher._cache_bytes(data) == size == (120 * (32 + 3) + 24 * (32 + 3)) * 16 * 2


def test_dropout_in_the_teacher_needs_every_batch_encoded(make, trained, batch):
    teacher, _ = make(trained(*COUNTED), teacher_dropout=True)
    assert teacher.cache is None
    paddle.seed(0)
    assert np.abs(teacher.scores(batch).numpy() - teacher.scores(batch).numpy()).max() > 1e-3


def test_full_disk(make, trained, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(npy.os, "posix_fallocate", full)
    with pytest.raises(InputError, match=f"{CACHE}: cannot be written: No space left"):
        make(trained(*COUNTED))
    assert list(tmp_path.iterdir()) == []


def refused(tiny_config, tmp_path, message, *overrides):
    """distill.py's step refuses, in one line, before it makes the run's directory."""
    with pytest.raises(InputError, match=message):
        distill(tiny_config(*overrides, f"run.dir={tmp_path / 'run'}"))
    assert not (tmp_path / "run").exists()


def test_each_tool_names_the_other_before_data_is_opened(tiny_config, tmp_path):
    refused(
        tiny_config, tmp_path, "distill.teacher is empty: tools/train.py trains a model without", "data.dir=nowhere"
    )
    with pytest.raises(InputError, match="distill.teacher is runs/x/I: tools/distill.py distils it"):
        train(tiny_config("data.dir=nowhere", "distill.teacher=runs/x/I"))


def test_teacher_must_exist(tiny_config, tmp_path):
    refused(tiny_config, tmp_path, "nowhere: no such checkpoint directory", f"distill.teacher={tmp_path / 'nowhere'}")


def test_teacher_with_another_text_length(tiny_config, tmp_path, trained):
    message = "distill.teacher: the data.text_length of .* is 32, the data's is 20"
    refused(tiny_config, tmp_path, message, "data.text_length=20", f"distill.teacher={trained(*COUNTED)}")


def test_teacher_with_another_vocabulary(tiny_config, tmp_path, trained, own_data):
    (own_data / "files.json").unlink()
    with open(own_data / "vocab.txt", "a") as file:
        file.write("xylophone\n")
    message = "distill.teacher: the vocabulary of .* is .*, the data's is"
    refused(tiny_config, tmp_path, message, f"data.dir={own_data}", f"distill.teacher={trained(*COUNTED)}")


def test_teacher_of_other_features(tiny_config, tmp_path, trained):
    teacher = shutil.copytree(open_checkpoint(trained(*COUNTED)).directory, tmp_path / "teacher")
    state = (teacher / "state.json").read_text()
    (teacher / "files.json").unlink()
    (teacher / "state.json").write_text(state.replace('"region_dim": 128', '"region_dim": 2048'))
    message = "distill.teacher: the region dimension of .* is 2048, the data's is 128"
    refused(tiny_config, tmp_path, message, f"distill.teacher={teacher}")


@pytest.mark.parametrize("override", ["model.hidden=32", "model.layers=2", "model.heads=4", "model.ffn=8"])
@pytest.mark.parametrize("needs", ["distill.share_inputs=true", "model.init=teacher"])
def test_sizes_are_compared_before_anything_is_written(tiny_config, trained, tmp_path, override, needs):
    message = f"{override.split('=')[0]} is .*, but .* they must be equal"
    refused(
        tiny_config,
        tmp_path,
        message,
        "distill.share_inputs=false",
        needs,
        override,
        f"distill.teacher={trained(*COUNTED)}",
    )


def test_student_of_another_size_that_takes_nothing_but_scores(tiny_config, trained, tmp_path):
    distill(
        tiny_config(
            "distill.share_inputs=false",
            "model.hidden=8",
            "optim.epochs=1",
            f"distill.teacher={trained(*COUNTED)}",
            f"run.dir={tmp_path / 'run'}",
        )
    )
    assert open_checkpoint(tmp_path / "run").state["finished"]


def test_shared_inputs_are_the_teachers_and_stay(tiny_config, trained, tmp_path):
    teacher = open_checkpoint(trained(*COUNTED)).load_model().state_dict()
    distill(tiny_config("optim.epochs=1", f"distill.teacher={trained(*COUNTED)}", f"run.dir={tmp_path / 'run'}"))
    for name, value in open_checkpoint(tmp_path / "run").load_model().state_dict().items():
        shared = name.startswith(("text_embedding.", "region_embedding."))
        assert np.array_equal(value.numpy(), teacher[name].numpy()) == shared, name


def weights(run):
    return {name: value.numpy() for name, value in open_checkpoint(run).load_model().state_dict().items()}


@pytest.mark.parametrize("shared, more", [(True, ()), (False, ()), (True, (*MASKED[-1:], "model.text_weights=length"))])
def test_shared_codes_are_the_teachers_first_and_stay(tiny_config, trained, tmp_path, shared, more):
    overrides = f"distill.share_codes={str(shared).lower()}", "model.codes=2", "optim.epochs=1", *more
    distill(tiny_config(*overrides, f"distill.teacher={trained(*COUNTED)}", f"run.dir={tmp_path / 'run'}"))
    student, teacher = weights(tmp_path / "run"), weights(trained(*COUNTED))
    for name in ("codes.text", "codes.image"):
        assert student[name].shape == (2, 16) and np.array_equal(student[name], teacher[name][:2]) == shared


def test_keys_younger_than_a_checkpoint_are_as_before_and_not_the_recipes(trained, tmp_path):
    old = shutil.copytree(open_checkpoint(trained(*COUNTED)).directory, tmp_path / "old")
    (old / "files.json").unlink()
    config = (old / "config.yaml").read_text()
    (old / "config.yaml").write_text(config.replace("  share_codes: true\n", ""))
    assert not open_checkpoint(old).config.distill.share_codes  # the recipe `released` says it is true


def test_codes_that_are_not_the_teachers_are_refused(tiny_config, trained, tmp_path):
    message = (
        "model.code_input is pooled, but constant in the teacher whose codes it takes; .* distill.share_codes=false"
    )
    refused(
        tiny_config,
        tmp_path,
        message,
        "model.codes=2",
        "model.code_input=pooled",
        f"distill.teacher={trained(*COUNTED)}",
    )
    message = "model.codes is 4, but the teacher whose codes it takes has 3; .* with distill.share_codes=false"
    refused(tiny_config, tmp_path, message, "model.codes=4", f"distill.teacher={trained(*COUNTED)}")


def test_student_that_starts_from_the_teacher(tiny_config, trained, tmp_path):
    overrides = [
        "model.init=teacher",
        "distill.share_inputs=false",
        "optim.lr=1e-30",
        "optim.weight_decay=0",
        "optim.epochs=1",
    ]
    distill(tiny_config(*overrides, f"distill.teacher={trained(*COUNTED)}", f"run.dir={tmp_path / 'run'}"))
    teacher = open_checkpoint(trained(*COUNTED)).load_model().state_dict()
    for name, value in open_checkpoint(tmp_path / "run").load_model().state_dict().items():
        np.testing.assert_allclose(value.numpy(), teacher[name].numpy(), atol=1e-7)


def test_a_start_for_students_alone(tiny_config, trained, tmp_path):
    teacher = trained("model.dropout=0")
    overrides = [
        "model.dropout=0",
        f"distill.teacher={teacher}",
        "optim.epochs=1",
        "optim.lr=1e-9",
        "optim.weight_decay=0",
    ]
    distill(tiny_config(*overrides, "distill.student_init=teacher", f"run.dir={tmp_path / 'run'}"))
    student = open_checkpoint(tmp_path / "run")
    assert (student.config.model.init, student.config.distill.student_init) == ("teacher", "")
    for ours, theirs in zip(student.load_model().parameters(), open_checkpoint(teacher).load_model().parameters()):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-5)


def test_mirrored_photos_are_scored_from_disk(trained, data, tmp_path):
    store = data.store
    with StoreWriter(tmp_path / "mirrored", name="x", made_by="a test", dtype="float32", mirrored=True) as writer:
        for row, image_id in enumerate(store.image_ids):
            (features,), boxes = store.read_regions([row])[0], store.boxes[row]
            writer.add_image(image_id, 0, 0, "", features, boxes, mirrored=features[::-1] if row % 3 else None)
        for row, split, caption in zip(store.caption_rows, store.caption_splits, store.captions):
            writer.add_caption(split, store.image_ids[row], caption)
    both = data._replace(store=open_store(tmp_path / "mirrored"), mirrored=0.5)
    batch = next(epoch_batches(both.store, both.train, 32, seed=0, epoch=0, mirrored=0.5))
    assert 5 < batch.mirrored.sum() < 20
    scores = []
    for cache_gb in (4, 0):
        teacher = Teacher(DistillConfig(cache_gb=cache_gb), open_checkpoint(trained("model.fragments=2")))
        teacher.prepare(both, tmp_path / CACHE, lambda line: None)
        scores.append(teacher.scores(batch).numpy())
    np.testing.assert_allclose(*scores, atol=5e-3)
    without = teacher.scores(batch._replace(regions=store.read_regions(both.train.split.image_rows[batch.images])[0]))
    changed = np.abs(without.numpy() - scores[1]).max(1)
    assert (changed[batch.mirrored] > 1e-2).all() and (changed[~batch.mirrored] < 1e-5).all()
