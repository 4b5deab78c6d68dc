"""A bit that has changed in any file that the package writes: whoever opens or verifies it names the file."""

import numpy as np
import pytest
from mutations import SEED
from writers import WRITERS, Given

import index_changes
from inflate_shrink.data.verify import verify_store
from inflate_shrink.engine.checkpoint import open_checkpoint
from inflate_shrink.engine.checkpoint_files import read_training, read_weights
from inflate_shrink.errors import InputError
from inflate_shrink.search.build import BuildSettings, Models, build_index
from inflate_shrink.search.encoder.files import read_meta
from inflate_shrink.search.faiss_build import build_faiss
from inflate_shrink.search.faiss_vectors import verify_faiss
from inflate_shrink.search.index import open_index, verify_index
from inflate_shrink.search.inverted.index import InvertedIndex
from inflate_shrink.search.searcher import Searcher

SHORT, LONG = 6, 300  # bits of a file


def _run(place):
    checkpoint = open_checkpoint(place / "run" / "last")
    weights = {name: array.tobytes() for name, array in read_weights(checkpoint.directory).items()}
    return (
        weights,
        checkpoint.state,
        checkpoint.config,
        checkpoint.tokenizer().pieces,
        read_training(checkpoint.directory),
    )


def _data_set(place):
    store = verify_store(place / "set")
    regions, counts = store.read_regions(np.arange(len(store.image_ids)))
    return (
        regions.tobytes(),
        counts.tobytes(),
        store.captions,
        store.image_ids,
        store.image_files,
        store.boxes.tobytes(),
    )


def _index(place):
    verify_index(place / "index")
    return index_changes.snapshot(open_index(place / "index"))


def _whole_index(place):
    """An index with all that it may have: encoders of texts and photos, a fitted first stage, faiss."""
    verify_index(place / "index")
    verify_faiss(place / "index")
    for name in ("encoder", "image_encoder"):
        if (place / "index" / name).exists():
            read_meta(place / "index" / name, verify=True)
    searcher = Searcher(place / "index", threads=1)
    return [(hit.id, hit.score) for mode in searcher.modes for hit in searcher.search("a red ball", 5, mode)]


def _build(place, given):
    models = Models(open_checkpoint(given.teacher))
    settings = BuildSettings(stage_bits=4, photos=True)
    build_index(place / "index", models, given.data, "train", settings)


def _build_for_faiss(place, given):
    pytest.importorskip("faiss", reason="faiss is not installed: pip install inflate-shrink[faiss]")
    build_index(place / "index", Models(open_checkpoint(given.single)), given.data, "train", BuildSettings())
    build_faiss(open_index(place / "index"), "fragments", "flat", threads=1)


class Singles(Given):
    """With a model of one vector a side, too."""

    single = ""


def _of(name):
    """What a writer leaves."""

    def make(place, given):
        WRITERS[name].prepare(place, given)
        WRITERS[name].work(place, given)

    return make


def _inverted(place):
    return InvertedIndex(place / "inverted", verify=True).search("a red ball", 3)


KINDS = {  # what makes the files, what opens and verifies them, and where they are
    "checkpoint": (_of("checkpoint"), _run, "run/step-000002"),
    "data set": (_of("data set"), _data_set, "set"),
    "index": (_of("index, merged"), _index, "index"),
    "inverted index": (_of("inverted index"), _inverted, "inverted"),
    "teacher's fragments": (_of("teacher's fragments"), WRITERS["teacher's fragments"].found, "teacher_fragments"),
    "ids of captions": (_of("ids of captions"), WRITERS["ids of captions"].found, "set/.ids"),
}
LONG_KINDS = {
    "index with encoders and stages": (_build, _whole_index, "index"),
    "index with faiss": (_build_for_faiss, _whole_index, "index"),
}
CASES = [
    *((kind, SHORT) for kind in KINDS),
    *(pytest.param(kind, LONG, marks=pytest.mark.long) for kind in {**KINDS, **LONG_KINDS}),
]


@pytest.fixture(scope="module")
def given(tiny_yaml, tiny_data, trained):
    found = Singles(str(tiny_yaml), str(tiny_data), str(trained("model.codes=3", "model.fragments=all")))
    Singles.single = str(trained("model.fragments=1"))
    return found


@pytest.mark.parametrize("kind, most", CASES)
def test_a_flipped_bit_is_named_or_changes_nothing(kind, most, given, tmp_path, tally, capsys):
    (make, use, where), counts = {**KINDS, **LONG_KINDS}[kind], tally("flipped bit", kind)
    make(tmp_path, given)
    expected, chance = use(tmp_path), np.random.default_rng(SEED)
    for path in sorted((tmp_path / where).rglob("*")):
        if not path.is_file() or path.name == "lock":
            continue
        whole = path.read_bytes()
        for place in _places(len(whole), most, chance):
            changed = bytearray(whole)
            changed[place] ^= 1 << chance.integers(8)
            path.write_bytes(changed)
            try:
                assert use(tmp_path) == expected, f"{path}: byte {place}"
                counts["right"] += 1
            except InputError as error:
                assert path.name in str(error) and "\n" not in str(error), f"{path}: byte {place}: {error}"
                counts["refused"] += 1
        path.write_bytes(whole)
    assert use(tmp_path) == expected and counts["refused"] > 10 * counts["right"]


def _places(size, most, chance):
    """Bytes to change: the first ones, where formats say what they are, the last and others at random."""
    if size <= most:
        return range(size)
    ends = [*range(most // 3), size - 1]
    return sorted({*ends, *chance.integers(size, size=most - len(ends)).tolist()})
