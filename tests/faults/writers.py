"""Everything that writes files, each as a work that can be stopped anywhere and done again, and what a reader then finds."""

import os
import shutil
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, NamedTuple

import numpy as np
import paddle

import index_changes
import region_file_bytes
from disk_steps import before_each_step
from inflate_shrink.config import DataConfig, load_config
from inflate_shrink.data import tokenized
from inflate_shrink.data.bad_records import BadRecords
from inflate_shrink.data.captions.records import Caption
from inflate_shrink.data.prepare import prepare, region_source
from inflate_shrink.data.store import open_store
from inflate_shrink.data.text import CaptionTokenizer
from inflate_shrink.data.tokenized import open_training_data, tokenize_split
from inflate_shrink.data.verify import verify_store
from inflate_shrink.engine import teacher as teachers
from inflate_shrink.engine.checkpoint import new_model, open_checkpoint, open_newest, point, write_checkpoint
from inflate_shrink.engine.checkpoint_files import read_weights
from inflate_shrink.engine.steps import distill, train
from inflate_shrink.engine.teacher import Teacher
from inflate_shrink.errors import InputError
from inflate_shrink.pipeline.result import read_result, write_result
from inflate_shrink.search.build import BuildSettings, Models, build_index
from inflate_shrink.search.index import IndexWriter, create_index, open_index, verify_index
from inflate_shrink.search.index.manifest_values import SEGMENTS
from inflate_shrink.search.inverted.index import InvertedIndex
from inflate_shrink.search.inverted.writer import write_inverted_index

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "red", "ball"]


class Given(NamedTuple):
    """What all works need: a config of tiny models, its data set, a checkpoint of I."""

    yaml: str
    data: str
    teacher: str

    def config(self, *overrides):
        return load_config(self.yaml, overrides)


class Writer(NamedTuple):
    """``prepare(place, given)``: what is there before. ``work(place, given)``: all of it, going on from what an earlier
    call has left. ``found(place)``: what a reader finds, to be compared; raises InputError if that is damaged.

    ``by_steps``: it may be found between before and after, too. ``only_saves_time``: a full disk is no error. ``slow``:
    takes seconds.
    """

    prepare: Callable
    work: Callable
    found: Callable
    by_steps: bool = False
    only_saves_time: bool = False
    slow: bool = False


@contextmanager
def once(target):
    """Do what is refused where the target is there already."""
    was_there = target.exists()
    try:
        yield
    except InputError as error:
        if not (was_there and "already exists" in str(error)):
            raise


def contents(directory):
    """Every file below a directory -> its bytes; None if there is no such directory."""
    files = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items()} if directory.is_dir() else None


def crash(name, place, given, step):
    """Do the work in this process, but be killed before a step."""
    os.fsync = lambda descriptor: None  # what a killed process wrote is there without
    with before_each_step(lambda number: number == step and os.kill(os.getpid(), signal.SIGKILL)):
        WRITERS[name].work(Path(place), given)
    os._exit(0)


# ---- checkpoints and trainings


def _model(given, number):
    paddle.seed(number)
    return new_model(given.config(), vocab_size=len(PIECES), region_dim=7)


def _save(place, given, number):
    directory = place / "run" / f"step-{number:06d}"
    vocabulary, state = "\n".join([*PIECES, ""]).encode(), {"step": number}
    if not directory.exists():
        training = {"optimizer": {}, "scaler": {}}
        write_checkpoint(directory, _model(given, number), given.config(), vocabulary, state, training)
    point(place / "run", "last", directory)


def _newest(run):
    """The step and the weights that the run goes on from; None before there is any."""
    if not (run / "last").is_symlink():
        return None
    found = open_newest(run)
    assert not found.damaged and found.checkpoint.tokenizer() and found.checkpoint.state["step"] >= 0
    return found.checkpoint.state["step"], {name: array.tobytes() for name, array in read_weights(run / "last").items()}


def _training(place, given, *more):
    shape = "optim.batch_size=40", "optim.epochs=2", "run.save_steps=1", "run.log_steps=1"
    return given.config(*shape, f"run.dir={place / 'run'}", *more)


def _distill(place, given):
    config = _training(place, given, "model.fragments=4", f"distill.teacher={given.teacher}", "distill.vectors=0")
    distill(config, resume=True)


# ---- data sets


def _to_be_prepared(place, given):
    lines = [region_file_bytes.tsv_line(number, 3, number) for number in range(4)]
    (place / "regions.tsv").write_bytes(b"\n".join([*lines, b""]))


def _prepare(place, given):
    captions = [
        Caption(str(number), text, ("train", "val")[number % 2], f"captions.txt: line {number}")
        for number in range(4)
        for text in ("A red ball.", "A ball.")
    ]
    source = region_source([str(place / "regions.tsv")], "tsv", "a detector")
    with once(place / "set"):
        prepare(place / "set", captions, source, lambda captions: PIECES, bad=BadRecords())


def _prepared(place):
    return contents(verify_store(place / "set").directory) if (place / "set").exists() else None


def _copy_data(place, given):
    shutil.copytree(given.data, place / "set", ignore=shutil.ignore_patterns(".ids"))


def _tokenize(place, given):
    tokenizer = CaptionTokenizer(place / "set" / "vocab.txt", 6)
    return tokenize_split(open_store(place / "set"), "val", tokenizer)


def _token_ids(place):
    kept = list((place / "set" / ".ids").glob("val-*"))
    for directory in kept:
        tokenized._LISTED.check_all(directory)
    return contents(kept[0]) if kept else None


def _cache(place, given):
    data = open_training_data(DataConfig(dir=given.data), 8)
    config = given.config("distill.cache_gb=1")
    teacher = Teacher(config.distill, open_checkpoint(given.teacher))
    teacher.prepare(data, place / "teacher_fragments", lambda line: None)


def _cached(place):
    directory = place / "teacher_fragments"
    if not directory.exists():
        return None
    teachers._LISTED.check_all(directory)
    return contents(directory)


# ---- indexes


def _index_of(commits):
    def make(place, given):
        create_index(place / "index", index_changes.SETTINGS)
        with IndexWriter(place / "index") as writer:
            for number in range(1, commits + 1):
                index_changes.change(writer, number)

    return make


def _change_to(commit):
    def change(place, given):
        with IndexWriter(place / "index", wait=0) as writer:
            if open_index(place / "index").commit < commit:
                index_changes.change(writer, commit)
            else:
                writer.commit()

    return change


def _indexed(place):
    verify_index(place / "index")
    index = open_index(place / "index")
    found = index_changes.snapshot(index)
    assert found == index_changes.content(index.commit)
    return index.commit


def _commit(number):
    return Writer(_index_of(number - 1), _change_to(number), _indexed)


def _build(place, given):
    models = Models(open_checkpoint(given.teacher))
    with once(place / "index"):
        build_index(place / "index", models, given.data, "val", BuildSettings(centroids=8))


def _built(place):
    if not (place / "index").exists():
        return None
    verify_index(place / "index")
    index, segments = open_index(place / "index"), place / "index" / SEGMENTS
    return {segment.ids[0]: contents(segments / segment.entry.name) for segment in index.segments}


def _invert(place, given):
    scores = np.abs(np.random.default_rng(3).standard_normal((5, len(PIECES)))).astype(np.float32)
    tokenizer = {"text_length": 6, "first_token": "[CLS]", "last_token": "[SEP]"}
    origin = {
        "tokenizer": tokenizer,
        "model": {"name": "", "fingerprint": "0", "checkpoint": "c"},
        "data": {"image_root": "photos", "directory": "data", "split": "", "fingerprint": "0"},
    }
    images = [(f"{number}", f"{number}.jpg") for number in range(5)]
    with once(place / "inverted"):
        write_inverted_index(place / "inverted", [scores], images, "\n".join([*PIECES, ""]).encode(), origin)


def _inverted(place):
    if not (place / "inverted").exists():
        return None
    return InvertedIndex(place / "inverted", verify=True).search("a red ball", 3)


# ---- results


def _result(seed):
    def write(place, given):
        side, config = {"r1": 50.0, "r5": 80.0, "r10": 90.0, "medr": 1.0}, given.config()
        values = {"name": "B", "data": "demo", "split": "test", "codes": 0, "fragments": 4, "recipe": "released"}
        values.update(scoring="late_interaction", hidden=8, layers=1, text_length=8, training={"seconds": 1.0})
        values["evaluations"] = {"full": {"images": 10, "captions": 50, "t2i": side, "i2t": side}}
        sections = {section: vars(getattr(config, section)) for section in ("run", "data", "model", "distill")}
        write_result(place, {**values, "seed": seed, "config": sections})

    return write


def _nothing(place, given):
    pass


WRITERS = {
    "checkpoint": Writer(lambda *of: _save(*of, 1), lambda *of: _save(*of, 2), lambda place: _newest(place / "run")),
    "training": Writer(
        _nothing, lambda *of: train(_training(*of), resume=True), lambda place: _newest(place / "run"), True, slow=True
    ),
    "distillation": Writer(_nothing, _distill, lambda place: _newest(place / "run"), True, slow=True),
    "data set": Writer(_to_be_prepared, _prepare, _prepared),
    "ids of captions": Writer(_copy_data, _tokenize, _token_ids, only_saves_time=True),
    "teacher's fragments": Writer(_nothing, _cache, _cached),
    "index, a commit": _commit(2),
    "index, compacted": _commit(3),
    "index, merged": _commit(6),
    "index, built": Writer(_nothing, _build, _built, slow=True),
    "inverted index": Writer(_nothing, _invert, _inverted),
    "result.json": Writer(_result(1), _result(2), lambda place: read_result(place / "result.json")["seed"]),
}
