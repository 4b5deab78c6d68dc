"""Readers of text files and data sets: whole files, how they are asked, what must hold of an answer."""

import json
import re

import numpy as np
import yaml
from mutations import mutate_json
from reading import Reader, Seed, plain, skipping_too

import caption_files
import inflate_shrink  # noqa: F401  first, as everywhere
from inflate_shrink.checked_files import FileList
from inflate_shrink.config import Config, flatten, load_config, to_dict
from inflate_shrink.config.yaml_files import read_yaml
from inflate_shrink.data.captions import CaptionOptions, read_captions
from inflate_shrink.data.image_ids import safe_name
from inflate_shrink.data.store import open_store
from inflate_shrink.data.text import CaptionTokenizer
from inflate_shrink.data.writer import StoreWriter
from inflate_shrink.engine.scalars import SCALARS, read_scalars
from inflate_shrink.errors import InputError
from inflate_shrink.pipeline.result import read_result
from inflate_shrink.search.id_list import read_ids

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SENTENCE = "A dog, two dogs and 3 cafés."


# ---- captions and words


def _captions(kind):
    def read(path, bad):
        vocabulary = path.with_name("vocab.txt")
        return read_captions([str(path)], kind, bad, CaptionOptions(vocab=str(vocabulary)))

    return skipping_too(read, _check_captions)


def _caption_seeds(kind):
    def seeds(directory):
        (directory / "vocab.txt").write_text("\n".join(caption_files.TOKENS) + "\n", encoding="utf-8")
        valid = caption_files.VALID[kind].encode()
        return [Seed(valid), *([Seed(valid, mutate=mutate_json)] if kind in ("karpathy", "coco", "json") else [])]

    return seeds


def _check_captions(captions, data, whole):
    assert captions
    for caption in captions:
        assert caption.text.strip() == caption.text != "" and not _CONTROL.search(caption.text)
        assert safe_name(caption.image_id) and not _CONTROL.search(caption.image_id)
        caption.text.encode("utf-8")


def _words(path):
    tokenizer = CaptionTokenizer(path, 8)
    return tokenizer, tokenizer([_SENTENCE, ""])


def _check_words(found, data, whole):
    tokenizer, ids = found
    assert ids.shape == (2, 8) and 0 <= ids.min() and ids.max() < tokenizer.vocab_size
    assert tokenizer.pieces == data.decode().replace("\r\n", "\n").removesuffix("\n").split("\n")


# ---- JSON and YAML

_LISTED = FileList("files.json", "data set")


def _file_list(directory):
    (directory / "a").write_bytes(b"abc")
    _LISTED.write(directory, {"format": 1})
    written = (directory / "files.json").read_bytes()
    return [Seed(written), Seed(written, mutate=mutate_json)]


def _check_file_list(found, data, whole):
    """Another list has another checksum: what is read is what was written, however it is spelled."""
    expected = json.loads(whole)
    assert (
        found["format"] == expected["format"]
        and {name: list(of) for name, of in found["files"].items()} == (expected["files"])
    )


def _result(directory):
    side = {"r1": 50.0, "r5": 80.0, "r10": 90.0, "medr": 1.0}
    value = {
        **{"name": "B", "data": "demo", "split": "test", "seed": 1, "codes": 0, "fragments": 4, "scoring": "late"},
        **{"hidden": 8, "layers": 1, "text_length": 8, "recipe": "", "train_images": 3, "regions": None},
        "scoring": "late_interaction",
        "evaluations": {"full": {"images": 10, "captions": 50, "t2i": side, "i2t": side}},
        "latency": None,
        "rerank": [{"n": 3, "ms_per_query": 1.5, "t2i": side, "i2t": side}],
        "training": {"seconds": 1.0},
        "config": to_dict(Config()),
    }
    text = json.dumps(value).encode()
    return [Seed(text), Seed(text, mutate=mutate_json)]


def _check_result(values, data, whole):
    for found in [*values["evaluations"].values(), *(values["rerank"] or [])]:
        for side in ("t2i", "i2t"):
            assert all(0 <= found[side][key] < float("inf") for key in ("r1", "r5", "r10"))
    assert isinstance(values["name"], str) and values["data"]


_LINE = b'{"step": 5, "epoch": 1, "time": 1700000000.5, "loss": 1.25}\n'


def _check_scalars(lines, data, whole):
    assert all(type(line["step"]) is int and all(abs(x) < 1e300 for x in line.values()) for line in lines)


_CONFIG = yaml.safe_dump(to_dict(Config()), sort_keys=False).encode()


def _same_again(config, data, whole):
    """What it says can be written and read, and is the same then."""
    written = yaml.safe_dump(to_dict(config), sort_keys=False)
    assert flatten(to_dict(config)) == flatten(yaml.safe_load(written))


# ---- a data set whose list of files is gone, as of before there was one


def _data_set(directory, name):
    with StoreWriter(directory / "set", regions=2, name="x", made_by="a test", dtype="float32") as writer:
        for number in range(3):
            boxes = np.zeros((2, 4), np.float32)
            writer.add_image(str(number), 640, 480, f"{number}.jpg", np.ones((2, 3), np.float32), boxes)
            writer.add_caption("train", str(number), "A dog.")
    (directory / "set" / "files.json").unlink()
    return (directory / "set" / name).read_bytes()


def _store(name):
    def seeds(directory):
        data = _data_set(directory, name)
        return [Seed(data), *([Seed(data, mutate=mutate_json)] if name.endswith("json") else [])]

    def read(path):
        store = open_store(path.parent)
        return store, [store.split(split) for split in dict.fromkeys(store.caption_splits)]

    return Reader(seeds, read, _check_store, f"set/{name}")


def _check_store(found, data, whole):
    store, splits = found
    assert store.regions.shape[0] == len(store.image_ids) == len(store.image_files) == len(set(store.image_ids))
    assert sum(len(split.captions) for split in splits) == len(store.captions)
    try:
        regions, counts = store.read_regions(np.arange(len(store.image_ids)))
    except InputError:  # a feature that is no number
        return
    assert np.isfinite(regions).all() and ((1 <= counts) & (counts <= regions.shape[1])).all()


_VOCABULARY = "\n".join([*caption_files.TOKENS, "and", "##é", ""]).encode()

TEXTS = {
    **{
        f"captions, {kind}": Reader(
            _caption_seeds(kind), _captions(kind), _check_captions, caption_files.NAMES.get(kind, f"captions.{kind}")
        )
        for kind in caption_files.VALID
    },
    "vocab.txt": Reader(plain(_VOCABULARY, _VOCABULARY.replace(b"\n", b"\r\n")), _words, _check_words),
    "list of ids": Reader(plain(b"a\nb\n\xc3\xa9\n"), read_ids, lambda ids, data, whole: ids[0].encode("utf-8")),
    "YAML": Reader(plain(_CONFIG), read_yaml, lambda value, data, whole: value.keys()),
    "config": Reader(plain(_CONFIG, b"recipe: released\nmodel: {hidden: 24}\n"), load_config, _same_again, "c.yaml"),
    "JSON, files.json": Reader(_file_list, lambda path: _LISTED.read(path.parent), _check_file_list, "files.json"),
    "JSON, result.json": Reader(_result, read_result, _check_result),
    "JSON, scalars.jsonl": Reader(
        plain(_LINE * 3), lambda path: read_scalars(path.parent), _check_scalars, SCALARS
    ),
    **{f"data set, {name}": _store(name) for name in ("meta.json", "images.tsv", "captions.tsv", "boxes.npy")},
    **{f"data set, {name}": _store(name) for name in ("regions.npy", "region_counts.npy")},
}  # fmt: skip
