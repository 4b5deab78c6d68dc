"""Photos without captions are found by words and by photos, through an index of a CLIP."""

import shutil

import numpy as np
import pytest
from clips import write_clip

from conftest import save_photo
from inflate_shrink.commands.index import main as index_main
from inflate_shrink.commands.search import main as search_main
from inflate_shrink.data.bad_records import BadRecords
from inflate_shrink.errors import InputError
from inflate_shrink.extract.photos import PhotoFolder
from inflate_shrink.search.clip import build as clip_build
from inflate_shrink.search.clip.build import add_photos, build_clip_index
from inflate_shrink.search.index import open_index
from inflate_shrink.search.searcher import Searcher


def ids(hits):
    return [hit.id for hit in hits]


def test_words_find_photos(index, photos):
    searcher = Searcher(index)
    assert len(searcher) == 5 and searcher.holds == "images" and searcher.modes == ("exact",) and searcher.takes_photos
    for colour in ("red", "green", "blue"):
        (best, *_) = searcher.search(f"a photo of {colour}", k=5)
        assert (best.id, best.file) == (f"{colour}.png", str(photos / f"{colour}.png"))
        assert best.score == pytest.approx(1, abs=0.03)  # the cosine, but for words that say little
    assert ids(searcher.search("Red and blue", k=1)) == ["more/both.png"]
    # (1, -1, -1) with (-1, 1, -1): the cosine is -1/3
    scores = {hit.id: hit.score for hit in searcher.search("red", k=5)}
    assert scores["green.png"] == pytest.approx(-1 / 3, abs=0.03)


def test_photos_find_photos(index, photos):
    searcher = Searcher(index)
    regions = searcher.describe_photo(photos / "more" / "both.png")
    np.testing.assert_allclose(regions, [[0, -1, 0, 0]], atol=1e-6)  # half of (1, -1, -1) and half of (-1, -1, 1)
    assert {*ids(searcher.search_image(regions, k=3))} == {"more/both.png", "red.png", "blue.png"}
    np.testing.assert_array_equal(
        searcher.describe_photo_data((photos / "red.png").read_bytes(), "it"),
        searcher.describe_photo(photos / "red.png"),
    )
    assert ids(searcher.search_like("red.png", k=4))[0] == "more/both.png"


def test_late_interaction_over_tokens_behind_the_photos_own_vectors(tokens_index, photos):
    """A quarter of each photo may fit a word: both.png has red and blue as red.png has red."""
    searcher = Searcher(tokens_index)
    assert searcher.modes == ("cascade", "exact") and {*open_index(tokens_index).settings.fields} == {
        "fragments",
        "vector",
    }
    fragments, vector = searcher.encode("red blue")
    assert fragments.shape == (3, 4) and vector.shape == (4,)  # with [CLS]
    np.testing.assert_allclose(np.linalg.norm(fragments, axis=1), 1, atol=1e-5)
    for mode in searcher.modes:
        (best, *_) = searcher.search("red blue", k=1, mode=mode, **({"candidates": 3} if mode == "cascade" else {}))
        assert best.id == "more/both.png"
        image = searcher.describe_photo(photos / best.id)
        assert image.shape == (1 + 4, 4)
        assert best.score == pytest.approx((fragments @ image[1:].T).max(1).sum(), abs=0.05)
        assert ids(searcher.search_image(image, k=1, mode=mode)) == ["more/both.png"]
    assert ids(searcher.search_like("blue.png", k=1, mode="exact")) in (["more/both.png"], ["more/other.png"])


def test_an_index_needs_its_clip_no_more(build, photos, tmp_path):
    clip = write_clip(tmp_path / "clip", external=True)
    out = build(tmp_path / "out", clip=clip)
    shutil.rmtree(clip)
    shutil.move(out, tmp_path / "moved")
    assert ids(Searcher(tmp_path / "moved").search("green", k=1)) == ["green.png"]
    grown = save_photo(tmp_path / "grown" / "second red.png", "red")
    assert add_photos(tmp_path / "moved", PhotoFolder(grown.parent), bad=BadRecords()) == 1
    assert {*ids(Searcher(tmp_path / "moved").search("red", k=2))} == {"red.png", "second red.png"}


def test_commands(clip, photos, tmp_path, capsys):
    """build, search by text and photo, add, delete, info: as a user calls them."""
    out = str(tmp_path / "index")
    index_main(["build", "--clip", str(clip), "--images", str(photos), "--out", out])
    said = capsys.readouterr()
    assert "5 images" in said.out and "model: colours (0 codes, fragments 1)" in said.out
    assert said.err.count("skipped:") == 1 and "notes.txt" in said.err
    search_main(["--index", out, "red crimson", "-k", "1"])
    said = capsys.readouterr()
    assert said.out.split()[2] == "red.png" and "read as an unknown word: crimson" in said.err
    search_main(["--index", out, "--image", str(photos / "blue.png"), "-k", "1"])
    assert capsys.readouterr().out.split()[2:] == ["blue.png", str(photos / "blue.png")]
    more = save_photo(tmp_path / "new" / "new.png", "green")
    opened = Searcher(out)
    index_main(["add", out, "--images", str(more.parent)])
    index_main(["delete", out, "green.png"])
    assert opened.refresh() and ids(opened.search("green", k=1)) == ["new.png"]
    assert opened.search("green", k=1)[0].file == str(more)
    index_main(["info", out, "--verify"])
    assert "verified" in capsys.readouterr().out


def test_an_interrupted_build_goes_on(build, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(clip_build, "_COMMIT_PHOTOS", 1)
    monkeypatch.setattr(clip_build, "BATCH", 1)
    read, seen = PhotoFolder.read, []

    def stop(folder, name):
        seen.append(name)
        if len(seen) == 6 + 4:  # after the sample
            raise KeyboardInterrupt
        return read(folder, name)

    with monkeypatch.context() as patch:
        patch.setattr(PhotoFolder, "read", stop)
        with pytest.raises(KeyboardInterrupt):
            build(tmp_path / "out")
        assert not (tmp_path / "out").exists()
        begun = len(seen)
        build(tmp_path / "out")
    assert len(seen) - begun < 6 and len(Searcher(tmp_path / "out")) == 5


def test_files_that_were_changed(tokens_index, photos, tmp_path):
    """Only what a query needs is compared, before it is opened."""
    copy = shutil.copytree(tokens_index, tmp_path / "index")

    def by_text():
        return ids(Searcher(copy).search("red", k=1))

    def by_photo():
        return Searcher(copy).describe_photo(photos / "red.png").shape

    for name, fails, works in (
        ("text_model.onnx_data", by_text, by_photo),
        ("tokenizer.json", by_text, by_photo),
        ("vision_model.onnx", by_photo, by_text),
        ("preprocessor_config.json", by_photo, by_text),
    ):
        path = copy / "clip" / name
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(InputError, match=f"{name}: its checksum is not the one in manifest.json"):
            fails()
        assert works()
        path.write_bytes(whole)
    assert by_text() and by_photo()


def test_photos_read_by_other_processes(clip, photos, index, tmp_path):
    how = dict(bad=BadRecords(skip=True), workers=2)
    build_clip_index(tmp_path / "out", clip, PhotoFolder(photos), **how)
    assert Searcher(tmp_path / "out").search("red", k=5) == Searcher(index).search("red", k=5)


def test_refusals(index, photos, clip, build, tmp_path):
    searcher = Searcher(index)
    with pytest.raises(InputError, match="the query is empty"):
        searcher.search("  ")
    with pytest.raises(InputError, match="leave out --backbone"):
        searcher.describe_photo(photos / "red.png", "net.onnx")
    with pytest.raises(InputError, match="notes.txt: not an image"):
        searcher.describe_photo(photos / "notes.txt")
    with pytest.raises(InputError, match=r"regions of shape \(3, 9\), expected \(1 or more, 4\)"):
        searcher.search_image(np.zeros((3, 9), np.float32))
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("a")
    with pytest.raises(InputError, match="none of 1 files drawn of it is a photo; nothing was written"):
        build(tmp_path / "out", tmp_path / "texts")
    with pytest.raises(InputError, match="notes.txt: not an image of a kind .*without --strict"):
        build(tmp_path / "out", bad=BadRecords(skip=False, hint="without --strict such files are left out"))
    narrow = write_clip(tmp_path / "narrow", text_dim=5)
    with pytest.raises(InputError, match="texts 5 numbers and photos 4, which are not of one space"):
        build(tmp_path / "out", clip=narrow)
    with pytest.raises(InputError, match="vision_model.onnx: has the outputs image_embeds, and no token_embeds"):
        build(tmp_path / "out", tokens="token_embeds")
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="takes both --clip DIR and --images DIR"):
        index_main(["build", "--clip", str(clip), "--out", str(tmp_path / "out")])
    with pytest.raises(InputError, match="--stages is not for an index of a CLIP"):
        index_main(["build", "--clip", str(clip), "--images", str(photos), "--stages", "--out", str(tmp_path / "out")])
    with pytest.raises(InputError, match="an index of photos by a CLIP; give --images DIR"):
        index_main(["add", str(index), "--data", "data/x"])
