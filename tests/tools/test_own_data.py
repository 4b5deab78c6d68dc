"""tools/prepare_data.py as a user types it: every format once."""

import hashlib
import json
import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from own_data_forms import CAPTIONS, IDS, REGIONS, RESULT, base64_of

from inflate_shrink.cli import run_tool as run_main
from inflate_shrink.data.store import open_store


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


def test_cut_vocabulary(prepare, regions, flickr, vocab, tmp_path):
    vocab.write_text("[PAD]\n[UNK]\n[CLS]\nanimal\n[SEP]\n[MASK]\n##x\na\ndog\n##dog\n.\n")
    arguments = *flickr(), "--regions", regions("tsv"), "--regions-format", "tsv", "--cut-vocab"
    code, stdout, stderr = prepare(*arguments)
    assert (code, stderr) == (0, "") and "the vocabulary: 9 of the 11 pieces" in stdout
    kept = open_store(tmp_path / "out").vocabulary.read_text().split()
    assert kept == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "##x", "a", "dog", "."]


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
