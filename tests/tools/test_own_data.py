"""tools/prepare_data.py as a user types it: every format once; what goes wrong is one line."""

import base64
import hashlib
import io
import json
import os
import re
import runpy
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from inflate_shrink.cli import run_tool as run_main
from inflate_shrink.data.store import open_store
from inflate_shrink.data.writer import StoreWriter

TOOLS = Path(__file__).resolve().parents[2] / "tools"
RESULT = re.compile(
    r"out: (\d+) images(?: \((\d+) of them in an earlier call\))?, (\d+) captions, (\d+) records left out"
)


@pytest.fixture(scope="module")
def prepare_main():
    return runpy.run_path(str(TOOLS / "prepare_data.py"), run_name="prepare_data")["main"]


@pytest.fixture
def prepare(prepare_main, vocab, tmp_path, capsys):
    """A function: tools/prepare_data.py in this process, to ``tmp_path/out``: exit code, stdout, stderr."""

    def prepare(*arguments, workers=1):
        capsys.readouterr()
        code = 0
        try:
            run_main(
                prepare_main,
                [
                    *map(str, arguments),
                    "--vocab",
                    str(vocab),
                    "--out",
                    str(tmp_path / "out"),
                    "--workers",
                    str(workers),
                ],
            )
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return prepare


@pytest.fixture
def refused(prepare, tmp_path):
    """A function: the arguments are refused in one line that holds the parts, and nothing is left behind."""

    def refused(parts, *arguments):
        before = sorted(os.listdir(tmp_path))
        code, _, stderr = prepare(*arguments)
        assert code == 2, stderr
        assert stderr.startswith("error: ") and stderr.endswith("\n") and stderr.count("\n") == 1, stderr
        for part in parts:
            assert str(part) in stderr
        assert sorted(os.listdir(tmp_path)) == before

    return refused


@pytest.fixture
def vocab(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\ndog\n.\n")
    return path


# ---- regions: one small file of every format; image i has i + 1 regions full of i (scan, released: 2) ----


def base64_of(array):
    return base64.b64encode(np.asarray(array, "<f4").tobytes()).decode()


def tsv(folder, ids, dimension):
    lines = [
        f"{name}\t64\t48\t{i + 1}\t{base64_of(np.ones((i + 1, 4)))}\t{base64_of(np.full((i + 1, dimension), i))}\n"
        for i, name in enumerate(ids)
    ]
    (folder / "regions.tsv").write_text("".join(lines))
    return folder / "regions.tsv"


def oscar(folder, ids, dimension):
    arrays = [np.full((i + 1, dimension and 2054), i) for i in range(len(ids))]  # the format has one dimension; 0: none
    lines = [
        f"{name}\t{json.dumps({'num_boxes': len(array), 'features': base64_of(array)})}\n"
        for name, array in zip(ids, arrays)
    ]
    (folder / "oscar.tsv").write_text("".join(lines))
    return folder / "oscar.tsv"


def npz_bytes(i, dimension):
    file = io.BytesIO()
    np.savez(file, x=np.full((i + 1, dimension), i), bbox=np.ones((i + 1, 4)), num_bbox=i + 1, image_h=48, image_w=64)
    return file.getvalue()


def npz(folder, ids, dimension):
    for i, name in enumerate(ids):
        (folder / f"{name}.npz").write_bytes(npz_bytes(i, dimension))
    return folder


def lmdb(folder, ids, dimension):
    with (
        pytest.importorskip("lmdb").open(str(folder / "lmdb"), map_size=1 << 20) as environment,
        environment.begin(write=True) as transaction,
    ):
        for i, name in enumerate(ids):
            transaction.put(f"{name}.npz".encode(), npz_bytes(i, dimension))
    return folder / "lmdb"


def scan(folder, ids, dimension, array="train_ims.npy", captions="train_caps.txt"):
    np.save(
        folder / array, np.arange(len(ids), dtype="float32")[:, None, None] + np.zeros((1, 2, dimension), "float32")
    )
    (folder / captions).write_text("5 6 7\n" * 5 * len(ids))
    return folder


def released(folder, ids, dimension):
    return scan(folder, ids, dimension, "train_100featc32.npy", "train_caps.txt.bt")


def store(folder, ids, dimension):
    with StoreWriter(folder / "store", name="x", made_by="a test", regions=8) as writer:
        for i, name in enumerate(ids):
            writer.add_image(name, 64, 48, "", np.full((i + 1, dimension), i), np.ones((i + 1, 4)))
    return folder / "store"


REGIONS = dict(tsv=tsv, npz=npz, oscar=oscar, scan=scan, released=released, lmdb=lmdb, store=store)
IDS = [f"train-{i}" for i in range(4)]  # as scan and released name them


@pytest.fixture
def regions(tmp_path):
    """A function: format -> path of its regions of images, in a folder of their own."""

    def make(form, ids=IDS, dimension=3, folder="regions"):
        (tmp_path / folder).mkdir(parents=True)
        return REGIONS[form](tmp_path / folder, ids, dimension)

    return make


@pytest.fixture
def flickr(tmp_path):
    """A function: Flickr's token file with two captions for each image."""

    def make(ids=IDS):
        (tmp_path / "captions.txt").write_text(
            "".join(f"{name}.jpg#{i}\tA dog {i} .\n" for name in ids for i in (0, 1))
        )
        return ["--captions", tmp_path / "captions.txt", "--format", "flickr"]

    return make


@pytest.mark.parametrize("form", REGIONS)
def test_every_format_of_regions(prepare, regions, flickr, tmp_path, form):
    code, stdout, stderr = prepare(*flickr(), "--regions", regions(form), "--regions-format", form)
    assert (code, stderr) == (0, "")
    assert RESULT.search(stdout).groups() == ("4", None, "8", "0") and "train: 2 images, 4 captions" in stdout
    found = open_store(tmp_path / "out")
    assert sorted(found.image_ids) == [f"{name}.jpg" for name in IDS]
    fixed = form in ("scan", "released")
    for row, image_id in enumerate(found.image_ids):
        number = int(image_id[6])
        assert found.region_counts[row] == (1 if fixed else number + 1) or fixed
        assert set(found.regions[row, : found.region_counts[row]].reshape(-1).tolist()) == {number}
    assert found.image_sizes[0].tolist() == ([64, 48] if form in ("tsv", "npz", "lmdb", "store") else [0, 0])


CAPTIONS = {
    "flickr": "".join(f"{name}.jpg#0\tA dog.\n" for name in IDS),
    "karpathy": json.dumps(
        {"images": [{"filename": f"{name}.jpg", "split": "train", "sentences": [{"raw": "A dog."}]} for name in IDS]}
    ),
    "coco": json.dumps(
        {
            "images": [{"id": i, "file_name": f"{name}.jpg"} for i, name in enumerate(IDS)],
            "annotations": [{"image_id": i, "caption": "A dog."} for i in range(4)],
        }
    ),
    "csv": "file,text\n" + "".join(f'{name}.jpg,"A dog."\n' for name in IDS),
    "tsv": "file\ttext\n" + "".join(f"{name}.jpg\tA dog.\n" for name in IDS),
    "jsonl": "".join(json.dumps({"image": f"{name}.jpg", "caption": "A dog."}) + "\n" for name in IDS),
    "json": json.dumps([{"image": f"{name}.jpg", "captions": ["A dog."]} for name in IDS]),
    "scan": "A dog.\n" * 20,
    "released": "1 5 6 7\n" * 20,
}
MORE = {"csv": ["--image-column", "file", "--caption-column", "text"]}
MORE["tsv"] = MORE["csv"]


@pytest.mark.parametrize("form", CAPTIONS)
def test_every_format_of_captions(prepare, regions, tmp_path, form):
    name = {"scan": "train_caps.txt", "released": "train_caps.txt.bt"}.get(form, "captions")
    (tmp_path / name).write_text(CAPTIONS[form])
    code, stdout, stderr = prepare(
        "--captions",
        tmp_path / name,
        "--format",
        form,
        *MORE.get(form, []),
        "--regions",
        regions("tsv"),
        "--regions-format",
        "tsv",
        "--dtype",
        "float32",
    )
    assert (code, stderr) == (0, "")
    each = 5 if form in ("scan", "released") else 1
    assert RESULT.search(stdout).groups() == ("4", None, str(4 * each), "0")
    found = open_store(tmp_path / "out")
    assert {text.lower().replace(" ", "") for text in found.captions} == {"adog."} and found.meta[
        "regions_dtype"
    ] == "float32"
    assert set(found.caption_splits) == (
        {"train"} if form in ("karpathy", "scan", "released") else {"train", "val", "test"}
    )
    assert found.vocabulary.read_text() == (tmp_path / "vocab.txt").read_text()


# ---- what goes wrong with regions ----


def cut(path):
    """Shorten the largest file of a region source by some bytes, and give its name."""
    files = (
        [path]
        if path.is_file()
        else [file for file in path.rglob("*") if file.suffix in (".npy", ".npz", ".mdb") and file.name != "lock.mdb"]
    )
    file = max(files, key=lambda file: (file.stat().st_size, file.name))
    os.truncate(file, file.stat().st_size - 30)
    return file


@pytest.mark.parametrize("form", REGIONS)
def test_truncated(refused, prepare, regions, flickr, tmp_path, form):
    path = regions(form)
    file = cut(path)
    arguments = *flickr(), "--regions", path, "--regions-format", form
    where = {"tsv": f"{file}: line 4: ", "oscar": f"{file}: line 4: ", "lmdb": f"{path}: uses "}.get(form, f"{file}: ")
    refused([where], *arguments)
    code, stdout, stderr = prepare(*arguments, "--skip-bad")
    if form in ("lmdb", "store"):  # nothing of them can be trusted
        assert code == 2 and where in stderr and not (tmp_path / "out").exists()
        return
    assert code == 0, stderr
    images, _, captions, left_out = map(int, (group or 0 for group in RESULT.search(stdout).groups()))
    assert (
        1 <= images < 4
        and captions == 2 * images
        and stderr.count("skipped: ") == stderr.count("\n") == left_out
        and where in stderr
    )


@pytest.mark.parametrize("form", REGIONS)
@pytest.mark.parametrize("problem", ["no regions", "twice", "dimension"])
def test_images_that_do_not_fit(refused, prepare, regions, flickr, form, problem):
    """The same for every format: an image without regions, one that comes twice, one of another extractor."""
    paths, captions = [regions(form, IDS[:3])], IDS[:3]
    if problem == "no regions":
        captions, parts = IDS, [f"captions.txt: line 7: image '{IDS[3]}.jpg' has no regions in"]
    elif problem == "twice":
        paths, parts = [*paths, regions(form, IDS[:1], folder="more")], [IDS[0], "is already at"]
    else:
        paths.append(regions(form, IDS[3:], 5 if form != "oscar" else 0, folder="more"))
        for array in paths[1].glob("train_*"):  # scan and released name images after the file
            array.rename(array.with_name(array.name.replace("train", "dev")))
        captions = [*IDS[:3], "dev-0" if form in ("scan", "released") else IDS[3]]
        parts = (
            [captions[3], "dimension 5, the data set's have 3"]
            if form != "oscar"
            else ["line 1: features holds 0 bytes"]
        )
    arguments = *flickr(captions), "--regions", *paths, "--regions-format", form
    refused([*parts, "--skip-bad"], *arguments)
    code, stdout, stderr = prepare(*arguments, "--skip-bad")
    assert code == 0, stderr
    assert stderr.startswith("skipped: ") and stderr.count("\n") == 1 and all(part in stderr for part in parts)
    assert RESULT.search(stdout).groups() == ("3", None, "6", "1")


def test_more_photos_than_captions_and_more_captions_than_wanted(prepare, refused, regions, flickr):
    arguments = *flickr(IDS[:3]), "--regions", regions("tsv"), "--regions-format", "tsv", "--captions-per-image"
    refused(["--captions-per-image must be 1 or more, or 0 for all, found -1"], *arguments, -1)
    code, stdout, stderr = prepare(*arguments, 1)
    assert (code, stderr) == (0, "") and RESULT.search(stdout).groups() == ("3", None, "3", "0")
    assert "3 captions are beyond the first 1 of their image and are left out" in stdout
    assert "1 images with regions have no captions and are left out" in stdout


@pytest.mark.parametrize("form", REGIONS)
def test_not_of_this_format(refused, flickr, tmp_path, form):
    if form == "lmdb":
        pytest.importorskip("lmdb")
    (tmp_path / "notes.txt").write_text("Rome, May\n")
    refused([tmp_path / "notes.txt"], *flickr(), "--regions", tmp_path / "notes.txt", "--regions-format", form)
    refused([tmp_path / "none", "no such"], *flickr(), "--regions", tmp_path / "none", "--regions-format", form)


# ---- what goes wrong with captions and options ----


@pytest.mark.parametrize(
    "more, parts",
    [
        (["--split", "train"], ["--split train: expected SPLIT=FILE"]),
        (["--split", "train=LIST", "train=LIST"], ["each split once"]),
        (["--split", "train=none.txt"], ["none.txt: no such file"]),
        (["--split", "train=LIST", "test=LIST"], ["train-0", "is in two splits"]),
        (
            ["--split", "test=LIST", "--val", "0.3"],
            ["--val has no effect where --split or the captions give the splits"],
        ),
        (["--val", "2"], ["val 2.0 and test 0.1", "together below 1"]),
        (["--val", "nan"], ["together below 1"]),
        (["--clusters", "0"], ["clusters must be 1 or more, found 0"]),
        (["--image-column", "file"], ["--image-column has no effect on --format flickr"]),
        (["--without-restval"], ["--without-restval has no effect on --format flickr"]),
    ],
)
def test_options(refused, regions, flickr, tmp_path, more, parts):
    (tmp_path / "list.txt").write_text("train-0\ntrain-1\ntrain-2\ntrain-3\n")
    more = [text.replace("LIST", str(tmp_path / "list.txt")) for text in more]
    refused(parts, *flickr(), "--regions", regions("tsv"), "--regions-format", "tsv", *more)


def test_captions_do_not_escape(refused, prepare, regions, tmp_path):
    (tmp_path / "captions.txt").write_text("../../etc/train-0.jpg#0\tA dog.\n" + CAPTIONS["flickr"])
    arguments = (
        "--captions",
        tmp_path / "captions.txt",
        "--format",
        "flickr",
        "--regions",
        regions("tsv"),
        "--regions-format",
        "tsv",
    )
    refused(
        [f"{tmp_path / 'captions.txt'}: line 1: the image '../../etc/train-0.jpg' must not leave the image folder"],
        *arguments,
    )
    code, stdout, stderr = prepare(*arguments, "--skip-bad")
    assert code == 0 and stderr.count("skipped: ") == 1 and RESULT.search(stdout).groups() == ("4", None, "4", "1")


def test_existing_directory_is_not_replaced(refused, regions, flickr, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "file").write_text("precious")
    refused(
        [tmp_path / "out", "already exists and is not replaced"],
        *flickr(),
        "--regions",
        regions("tsv"),
        "--regions-format",
        "tsv",
    )
    assert os.listdir(tmp_path / "out") == ["file"]


@pytest.mark.parametrize(
    "more, seed, lists", [((), 0, []), (("--seed", 7), 7, []), (("--split", "train=all.txt"), None, ["all.txt"])]
)
def test_seed_and_files_of_captions_are_recorded(prepare, regions, flickr, tmp_path, monkeypatch, more, seed, lists):
    monkeypatch.chdir(tmp_path)
    Path("all.txt").write_text("".join(f"{name}\n" for name in IDS))
    code, _, stderr = prepare(*flickr(), "--regions", regions("tsv"), "--regions-format", "tsv", *more)
    assert (code, stderr) == (0, "")
    meta = json.loads(Path("out", "meta.json").read_text())
    assert meta["seed"] == seed
    assert meta["caption_files"] == [
        f"{name} sha256:{hashlib.sha256(Path(name).read_bytes()).hexdigest()[:16]}" for name in ["captions.txt", *lists]
    ]


def test_split_lists(prepare, regions, flickr, tmp_path):
    """An image that no list names is left out, and its regions are no mistake."""
    for split, name in (("train", "train-2"), ("val", "train-0.jpg"), ("test", "train-1")):
        (tmp_path / f"{split}.txt").write_text(name + "\n")
    lists = [f"{split}={tmp_path / split}.txt" for split in ("train", "val", "test")]
    code, stdout, stderr = prepare(*flickr(), "--regions", regions("tsv"), "--regions-format", "tsv", "--split", *lists)
    assert (code, stderr) == (0, "") and "1 images with captions are in no split list and are left out" in stdout
    assert RESULT.search(stdout).groups() == ("3", None, "6", "0")
    assert "val: 1 images, 2 captions; test: 1 images, 2 captions; train: 1 images, 2 captions" in stdout


def test_no_training_captions_to_make_a_vocabulary_of(prepare_main, regions, flickr, tmp_path, capsys):
    arguments = [*flickr(), "--regions", regions("tsv"), "--regions-format", "tsv", "--out", tmp_path / "out"]
    arguments[1] = f"test={arguments[1]}"
    with pytest.raises(SystemExit):
        run_main(prepare_main, list(map(str, arguments)))
    assert (
        capsys.readouterr().err
        == "error: no caption of the split 'train' to make a vocabulary of; give one as --vocab\n"
    )
    assert not list(tmp_path.glob("*out*"))


def test_verify(prepare_main, capsys, tiny_data, own_data):
    run_main(prepare_main, ["--verify", str(tiny_data)])
    assert capsys.readouterr().out == f"{tiny_data}: as it was written, 42 images and 210 captions\n"
    with open(own_data / "regions.npy", "r+b") as file:
        file.seek(-5000, os.SEEK_END)
        file.write(b"\x01\x02")
    for arguments, message in (
        ([own_data], f"{own_data}/regions.npy: .*it is damaged, .*"),
        ([tiny_data, "--out", "x"], "--out has no effect with --verify.*"),
    ):
        with pytest.raises(SystemExit) as end:
            run_main(prepare_main, ["--verify", *map(str, arguments)])
        assert end.value.code == 2 and re.fullmatch(f"error: {message}\n", capsys.readouterr().err)


# ---- in a process of its own ----


@pytest.mark.slow
def test_ctrl_c_and_again(start_tool, run_tool, vocab, tmp_path):
    # Long to cluster, short to write.
    names, many = [f"{i}.jpg" for i in range(80)], np.random.default_rng(0).normal(size=(300, 8))
    lines = [
        f"{name}\t64\t48\t300\t{base64_of(np.ones((300, 4)))}\t{base64_of(many + i)}\n" for i, name in enumerate(names)
    ]
    (tmp_path / "regions.tsv").write_text("".join(lines))
    (tmp_path / "captions.txt").write_text("".join(f"{name}#0\tA dog.\n" for name in names))
    arguments = [
        "--captions",
        tmp_path / "captions.txt",
        "--format",
        "flickr",
        "--regions",
        tmp_path / "regions.tsv",
        "--regions-format",
        "tsv",
    ]
    arguments += ["--vocab", vocab, "--out", tmp_path / "out", "--workers", 2]
    process, written = start_tool("prepare_data", *arguments), tmp_path / ".out.partial" / "content" / "images.tsv"
    while process.poll() is None and not (written.exists() and written.read_bytes().count(b"\n") > 3):
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=300)
    assert (process.returncode, stdout, stderr) == (130, "", "interrupted\n")
    assert not (tmp_path / "out").exists()
    there = written.read_bytes().count(b"\n") - 1
    code, stdout, stderr = run_tool("prepare_data", *arguments)
    assert (code, stderr) == (0, "")
    assert RESULT.search(stdout).groups() == ("80", str(there), "80", "0") and there >= 3
    assert sorted(os.listdir(tmp_path)) == ["captions.txt", "out", "regions.tsv", "vocab.txt"]
