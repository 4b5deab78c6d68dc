"""What goes wrong in tools/prepare_data.py is one line, and nothing is left behind."""

import os

import pytest
from own_data_forms import CAPTIONS, IDS, REGIONS, RESULT

from inflate_shrink.cli import run_tool as run_main


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


def test_no_vocabulary_to_cut(prepare_main, regions, flickr, tmp_path, capsys):
    arguments = [*flickr(), "--regions", regions("tsv"), "--regions-format", "tsv", "--out", tmp_path / "out"]
    with pytest.raises(SystemExit):
        run_main(prepare_main, [*map(str, arguments), "--cut-vocab"])
    assert capsys.readouterr().err.startswith("error: --cut-vocab has no effect without --vocab")
    assert not list(tmp_path.glob("*out*"))
