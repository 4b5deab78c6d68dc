"""The tools, killed over and over at any moment and started again, end as if nothing had happened."""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from mutations import SEED
from writers import contents

import region_file_bytes
from inflate_shrink.data.verify import verify_store
from inflate_shrink.engine.checkpoint import open_newest
from inflate_shrink.engine.checkpoint_files import read_weights
from inflate_shrink.search.index import IndexWriter, open_index, verify_index

DEADLINE = 600  # seconds
BY_EPOCHS = "optim.epochs=3", "optim.batch_size=16", "run.save_steps=1", "optim.warmup_steps=4", "optim.schedule=cosine"
TIMES = {"distill": 2, "prepare_data": 1, "index add": 1}  # of the short run; train.py has the same loop
LONG = {
    **{"train": 14, "distill": 14, "prepare_data": 14, "index build": 10, "index add": 10, "index compact": 10},
    "pipeline": 6,
}  # of the long one, where each counts that came before the end


class Work:
    """A tool's call that is killed and repeated in ``here``: ``arguments``, and what must be whole after each kill."""

    def __init__(self, here, tool, *arguments):
        self.here, self.tool, self.arguments = here, tool, arguments

    def check(self):
        """Raise InputError or AssertionError unless what is there can be read and is whole."""

    def is_done(self):
        """Whether it was killed when nothing was left to do, so that the same call would be refused."""
        return False

    def found(self):
        """What is there in the end, to be compared with that of a call that was never killed."""


class Training(Work):
    def __init__(self, here, tool, yaml, *overrides):
        options = [part for override in (*BY_EPOCHS, f"run.dir={here}", *overrides) for part in ("-o", override)]
        super().__init__(here, tool, "-c", yaml, "--resume", *options)

    def check(self):
        if (self.here / "last").is_symlink():
            assert not open_newest(self.here).damaged

    def found(self):
        state = json.loads((self.here / "last" / "state.json").read_text())
        weights = {name: array.tobytes() for name, array in read_weights(self.here / "last").items()}
        return state, weights, sorted(path.name for path in self.here.iterdir()), os.readlink(self.here / "best")


class Preparing(Work):
    def __init__(self, here, captions, regions, vocab):
        given = "--captions", captions, "--regions", regions, "--regions-format", "tsv", "--vocab", vocab
        super().__init__(here, "prepare_data", *given, "--format", "flickr", "--out", here, "--workers", "1")

    def check(self):
        if self.is_done():
            verify_store(self.here)

    def is_done(self):
        return self.here.exists()

    def found(self):
        return contents(self.here)


class Indexing(Work):
    def check(self):
        if self.here.exists():
            verify_index(self.here)

    def is_done(self):
        return self.arguments[0] == "build" and self.here.exists()

    def found(self):
        index, rows = open_index(self.here), {}
        for segment in index.segments:
            stored = segment.stored("fragments")
            for number, item in enumerate(segment.ids):
                if segment.deleted is None or not segment.deleted[number]:
                    part = slice(stored.offsets[number], stored.offsets[number + 1])
                    rows[item] = stored.values[part].tobytes(), segment.files[number]
        leftovers = [path.name for path in self.here.parent.iterdir() if path.name.startswith(f".{self.here.name}")]
        return rows, leftovers


class Pipeline(Work):
    def check(self):
        for run in self.here.glob("runs/steps/*/last"):
            assert not open_newest(run.parent).damaged

    def found(self):
        weights = read_weights(self.here / "runs" / "tiny" / "I" / "last")
        result = json.loads((self.here / "runs" / "tiny" / "I" / "result.json").read_text())
        return {name: array.tobytes() for name, array in weights.items()}, result["evaluations"]


@pytest.fixture(scope="module")
def words(tmp_path_factory, tiny_data):
    """Captions, regions and a vocabulary of many images, to be prepared."""
    place = tmp_path_factory.mktemp("words")
    images = range(400)
    (place / "captions.txt").write_text("".join(f"{number}.jpg#0\tA red ball.\n" for number in images))
    rows = [region_file_bytes.tsv_line(f"{number}.jpg", 40, number) for number in images]
    (place / "regions.tsv").write_bytes(b"\n".join([*rows, b""]))
    shutil.copy(tiny_data / "vocab.txt", place / "vocab.txt")
    return [place / name for name in ("captions.txt", "regions.tsv", "vocab.txt")]


@pytest.fixture
def work(tmp_path, tiny_yaml, tiny_data, trained, words, run_tool, monkeypatch):
    """A function: what is done -> two works of the kind, whose directories begin alike."""
    model = "model.codes=3", "model.fragments=all"

    def make(kind, here):
        if kind == "train":
            return Training(here, kind, tiny_yaml)
        if kind == "distill":
            return Training(here, kind, tiny_yaml, f"distill.teacher={trained(*model)}", "model.fragments=4")
        if kind == "prepare_data":
            return Preparing(here, *words)
        checkpoint = "--checkpoint", trained(*model), "--data", tiny_data
        if kind == "index build":
            return Indexing(here, "index", "build", *checkpoint, "--out", here)
        if kind == "pipeline":
            monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
            row = yaml.safe_load(Path(tiny_yaml).read_text())
            row["data"].update(name="tiny", protocols=["full"])
            (here / "rows").mkdir(parents=True)
            row.update(name="I", model={**row["model"], "codes": 3, "fragments": "all"})
            row["run"].update(dir="runs/x/I", save_steps=1)
            (here / "rows" / "I.yaml").write_text(yaml.safe_dump(row))
            (here / "steps.yaml").write_text(yaml.safe_dump({"data": "rows", "steps": ["I"]}))
            return Pipeline(here, "pipeline", "-c", "steps.yaml")
        start = tmp_path / "start"
        if not start.exists():
            assert run_tool("index", "build", *checkpoint, "--split", "val", "--out", start)[0] == 0
            if kind == "index compact":
                assert run_tool("index", "add", start, *checkpoint, "--split", "train")[0] == 0
                with IndexWriter(start) as writer:
                    writer.delete(list(open_index(start).segments[0].ids)[:3])
                    writer.commit()
        shutil.copytree(start, here)
        return Indexing(here, "index", *(("add", here, *checkpoint) if kind == "index add" else ("compact", here)))

    return make


KINDS = [
    *(TIMES.items()),
    *(pytest.param(*case, marks=pytest.mark.long) for case in LONG.items()),
]


@pytest.mark.parametrize("kind, times", KINDS)
def test_killed_over_and_over(kind, times, work, tmp_path, start_tool, tally, monkeypatch):
    tool, _, command = kind.partition(" ")
    counts = tally("SIGKILL at any moment", f"tools/{tool}.py {command}".strip())
    chance = np.random.default_rng(SEED)

    def start(work):
        if work.here.is_dir():
            monkeypatch.chdir(work.here if kind == "pipeline" else tmp_path)
        return start_tool(work.tool, *work.arguments)

    whole = work(kind, tmp_path / "a" / "work")
    begin = time.monotonic()
    process = start(whole)
    _, stderr = process.communicate(DEADLINE)
    assert process.returncode == 0, stderr
    seconds, expected = time.monotonic() - begin, whole.found()
    for attempt in range(4 * times):
        if counts["right"] == times:
            break
        killed = work(kind, tmp_path / f"b{attempt}" / "work")
        while counts["right"] < times:  # killed, gone on with, killed
            process, until = start(killed), time.monotonic() + chance.uniform(0, 0.9) * seconds
            while process.poll() is None and time.monotonic() < until:
                time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
            process.communicate(DEADLINE)
            killed.check()
            if process.returncode == 0:
                break
            assert process.returncode == -signal.SIGKILL
            counts["right"] += 1
            if killed.is_done():
                break
        if not killed.is_done():
            process = start(killed)
            _, stderr = process.communicate(DEADLINE)
            assert process.returncode == 0, stderr
        assert _moved(killed.found(), killed.here) == _moved(expected, whole.here)
    assert counts["right"] == times


def _moved(found, here):
    """What was found, with the place where it was left out."""
    return json.loads(json.dumps(found, default=lambda data: data.decode("latin1")).replace(str(here), "HERE"))
