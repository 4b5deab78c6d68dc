"""StoreWriter with ``inputs``: interrupted at any point, taken up, the same bytes in the end."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from inflate_shrink.data.partial import partial_path
from inflate_shrink.data.writer import StoreWriter
from inflate_shrink.errors import InputError

IMAGES = [str(i) for i in range(6)]
PATHS = [str(Path(__file__).resolve().parents[level]) for level in (0, 2)]  # to import this file and the package from


def fill(directory, before=lambda image_id: None, **options):
    """Write IMAGES; ``before`` is called before each that is added. Returns the ids that were added."""
    settings = dict(name="x", made_by="a test", regions=3, inputs={"file": ["a.npz", 17]})
    added = []
    with StoreWriter(directory, **{**settings, **options}) as writer:
        assert writer.resumed == len(writer)
        for i, image_id in enumerate(IMAGES):
            if image_id in writer:
                continue
            before(image_id)
            count = 1 + i % 3
            writer.add_image(
                image_id, 640, 480, f"{image_id}.jpg", np.full((count, 4), i + 0.5), np.full((count, 4), i)
            )
            added.append(image_id)
        for image_id in reversed(IMAGES):
            writer.add_caption("train", image_id, f"Image {image_id}.")
        writer.write_vocabulary(["[PAD]"])
    assert len(writer) == len(IMAGES) and writer.resumed == len(IMAGES) - len(added)
    return added


def stop_at(stop, error=KeyboardInterrupt):
    def before(image_id):
        if image_id == stop:
            raise error

    return before


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Contents of the data set written in one go."""
    directory = tmp_path_factory.mktemp("whole") / "reference"
    fill(directory)
    return contents(directory)


@pytest.fixture
def partial(tmp_path):
    """Of the data set ``a``, interrupted after four images."""
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path / "a", stop_at("4"))
    return tmp_path / ".a.partial"


@pytest.mark.parametrize(
    "error",
    [
        KeyboardInterrupt,
        SystemExit,
        RuntimeError,
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EIO, "I/O error", "b.npz"),
    ],
)
def test_interrupted_and_taken_up(tmp_path, reference, error):
    with pytest.raises((type(error), InputError) if isinstance(error, OSError) else error):
        fill(tmp_path / "a", stop_at("4", error))
    assert not (tmp_path / "a").exists()
    assert fill(tmp_path / "a") == ["4", "5"]
    assert contents(tmp_path / "a") == reference
    assert os.listdir(tmp_path) == ["a"]


def test_message_of_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"a: b\.npz: I/O error; what was written so far is kept"):
        fill(tmp_path / "a", stop_at("4", OSError(errno.EIO, "I/O error", "b.npz")))


def test_bad_data_removes(tmp_path):
    with pytest.raises(InputError, match="line 3"):
        fill(tmp_path / "a", stop_at("4", InputError("a.tsv: line 3: bad")))
    assert os.listdir(tmp_path) == []


def test_bad_data_because_of_the_disk_keeps(tmp_path):
    def before(image_id):
        if image_id == "4":
            raise InputError("a.tsv: cannot be read") from OSError(errno.EIO, "I/O error")

    with pytest.raises(InputError, match="a.tsv"):
        fill(tmp_path / "a", before)
    assert fill(tmp_path / "a") == ["4", "5"]


@pytest.mark.parametrize("good_writes", range(4))
@pytest.mark.parametrize("bytes_left", [0, 3])
def test_full_disk(tmp_path, monkeypatch, reference, good_writes, bytes_left):
    """Within image 4, of whose four writes some succeed and one is cut short."""
    real, calls = os.pwrite, []

    def pwrite(file, data, offset):
        calls.append(len(data))
        if len(calls) <= good_writes:
            return real(file, data, offset)
        if len(calls) == good_writes + 1 and bytes_left:
            return real(file, data[:bytes_left], offset)
        raise OSError(errno.ENOSPC, "No space left on device")

    def before(image_id):
        if image_id == "4":
            monkeypatch.setattr(os, "pwrite", pwrite)

    with pytest.raises(
        InputError, match="a: cannot be written: No space left on device; what was written so far is kept"
    ):
        fill(tmp_path / "a", before)
    monkeypatch.undo()
    assert fill(tmp_path / "a") == ["4", "5"]
    assert contents(tmp_path / "a") == reference


def test_row_cut_short_is_not_kept(tmp_path, monkeypatch):
    real = os.pwrite
    with StoreWriter(tmp_path / "b", name="x", made_by="a test", regions=3) as writer:

        def fail(file, data, offset):
            real(file, data[:3], offset)
            raise KeyboardInterrupt

        writer.add_image("1", 1, 1, "", np.ones((1, 2)), np.zeros((1, 4)))
        monkeypatch.setattr(os, "pwrite", fail)
        with pytest.raises(KeyboardInterrupt):
            writer.add_image("2", 1, 1, "", np.full((3, 2), 9), np.zeros((3, 4)))
        monkeypatch.undo()
        assert "2" not in writer
    assert np.load(tmp_path / "b" / "regions.npy").tolist() == [[[1, 1], [0, 0], [0, 0]]]


HEADERS = {
    "regions.npy": 128,
    "boxes.npy": 128,
    "region_counts.npy": 128,
    "images.tsv": len("image_id\twidth\theight\tfile\n"),
}
ROWS = {"regions.npy": 24, "boxes.npy": 48, "region_counts.npy": 4, "images.tsv": len("0\t640\t480\t0.jpg\n")}


@pytest.mark.parametrize("short", ROWS)
@pytest.mark.parametrize("rows", [0, 2])
@pytest.mark.parametrize("rest", [0, 1, -1])
def test_one_file_shorter_than_the_others(partial, reference, short, rows, rest):
    """As when the process is killed between the writes of an image, or the machine loses its power."""
    path = partial / "content" / short
    os.truncate(path, HEADERS[short] + rows * ROWS[short] + rest)
    kept = rows if rest >= 0 else max(rows - 1, 0)
    assert fill(partial.parent / "a") == IMAGES[kept:]
    assert contents(partial.parent / "a") == reference


@pytest.mark.parametrize("name", ["regions.npy", "boxes.npy", "region_counts.npy"])
def test_a_file_longer_than_the_journal(partial, reference, name):
    with open(partial / "content" / name, "ab") as file:
        file.write(b"x" * 100)
    assert fill(partial.parent / "a") == ["4", "5"]
    assert contents(partial.parent / "a") == reference


@pytest.mark.parametrize("name", [*ROWS, "settings.json"])
@pytest.mark.parametrize("damage", ["missing", "empty", "garbage"])
def test_unreadable_partial_is_begun_anew(partial, reference, name, damage):
    path = next(partial.rglob(name))
    path.unlink()
    if damage != "missing":
        path.write_bytes(b"" if damage == "empty" else bytes(range(256)))
    assert fill(partial.parent / "a") == IMAGES
    assert contents(partial.parent / "a") == reference


@pytest.mark.parametrize(
    "line", [b"2\t640\t480\n", b"1\t640\t480\t2.jpg\n", b"2\t640\t-480\t2.jpg\n", b"\xff\t640\t480\t2.jpg\n"]
)
def test_damaged_line_of_the_journal(partial, reference, line):
    path = partial / "content" / "images.tsv"
    path.write_bytes(path.read_bytes().replace(b"2\t640\t480\t2.jpg\n", line))
    assert fill(partial.parent / "a") == IMAGES[2:]
    assert contents(partial.parent / "a") == reference


def test_row_of_zeros_is_written_again(partial, reference):
    counts = np.load(partial / "content" / "region_counts.npy")
    assert counts.tolist() == []  # the header names the rows at the end only
    with open(partial / "content" / "region_counts.npy", "r+b") as file:
        file.seek(128 + 3 * 4)
        file.write(bytes(4))
    assert fill(partial.parent / "a") == ["3", "4", "5"]
    assert contents(partial.parent / "a") == reference


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": {"file": ["a.npz", 18]}},
        {"inputs": {}},
        {"name": "y"},
        {"regions": 4},
        {"dtype": "float32"},
        {"dimension": 4},
        {"extra": {"k": 1}},
    ],
)
def test_other_settings_begin_anew(partial, change):
    (partial / "content" / "more.txt").touch()
    assert fill(partial.parent / "a", **change) == IMAGES
    assert not (partial.parent / "a" / "more.txt").exists() and not partial.exists()


def test_files_of_the_caller_stay(partial):
    (partial / "content" / "images").mkdir()
    (partial / "content" / "images" / "0.png").write_bytes(b"png")
    fill(partial.parent / "a")
    assert (partial.parent / "a" / "images" / "0.png").read_bytes() == b"png"


def test_interrupted_after_the_last_image(tmp_path, monkeypatch, reference):
    """While the data set is finished: its files are whole, headers and meta.json too."""

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path / "a")
    monkeypatch.undo()
    assert fill(tmp_path / "a") == []
    assert contents(tmp_path / "a") == reference


def test_two_writers_at_once(tmp_path):
    def before(image_id):
        if image_id == "3":
            with pytest.raises(
                InputError, match=rf"a: is being written by process {os.getpid()} on .* since "
            ) as caught:
                fill(tmp_path / "a")
            assert "\n" not in str(caught.value)

    assert fill(tmp_path / "a", before) == IMAGES
    assert os.listdir(tmp_path) == ["a"]


def test_target_that_appeared_meanwhile(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(InputError, match="already exists"):
        with partial_path(tmp_path / "a", {}):
            pass
    assert os.listdir(tmp_path) == ["a"]


def test_parent_is_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file/a: cannot be written: Not a directory"):
        fill(tmp_path / "file" / "a")


SCRIPT = """
import sys
from test_writer_resumed import fill

def before(image_id):
    if image_id == sys.argv[2]:
        print("ready", flush=True)
        sys.stdin.read()

fill(sys.argv[1], before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("stop", ["0", "1", "5"])
def test_killed(tmp_path, reference, stop):
    """A process that is killed holds the lock until then, and leaves what it had written."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "a"), stop],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(PATHS)},
    )
    with process:
        assert process.stdout.readline() == "ready\n"
        with pytest.raises(InputError, match=f"is being written by process {process.pid} on"):
            fill(tmp_path / "a")
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert fill(tmp_path / "a") == IMAGES[int(stop) :]
    assert contents(tmp_path / "a") == reference
