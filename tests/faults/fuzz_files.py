"""Files of indexes and encoders, damaged at random, with checksums that fit: opened, searched, deleted from.

As a script: seed and number of damages; each is reported before it is tried, so that a crash names it.
"""

import json
import os
import random
import shutil
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np

import inflate_shrink  # noqa: F401  first, as everywhere
from inflate_shrink.checked_files import measure
from inflate_shrink.errors import InputError
from inflate_shrink.search.encoder import encoders
from inflate_shrink.search.encoder.files import write_meta
from inflate_shrink.search.faiss_vectors import signed
from inflate_shrink.search.index import (
    UINT16,
    FieldSettings,
    IndexSettings,
    IndexWriter,
    create_index,
    open_index,
    verify_index,
)
from inflate_shrink.search.index.manifest import _END
from inflate_shrink.search.inverted.files import write_file_list
from inflate_shrink.search.inverted.index import FILES, InvertedIndex
from inflate_shrink.search.inverted.writer import write_inverted_index
from inflate_shrink.search.searcher import Searcher

DIM, SEGMENTS, IN_SEGMENT = 6, 3, 9
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "dog", "##s"]
TOKENIZER = {"text_length": 6, "first_token": "[CLS]", "last_token": "[SEP]"}
ORIGIN = {"data": {"image_root": "photos", "directory": "data", "split": "", "fingerprint": "0"}}
NUMBERS = (0, 1, -1, 2, 7, 8, 33, 1000, 10**9, 2**31 - 1, 2**31, 2**63 - 1, 2**63, -(2**63), 10**30, 10**400)
OTHERS = (
    None,
    True,
    False,
    "",
    "x",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "a\0b",
    "\ud800",
    [],
    {},
    [1],
    {"a": 1},
    0.5,
    -0.0,
    1e300,
    float("nan"),
    float("inf"),
    [[[]]],
)


def unit(rng, *shape):
    vectors = rng.standard_normal(shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def make_index(directory, fields):
    """An index of images in some commits, with deleted ones; rows of ``fragments`` are ragged, of all others one an item."""
    rng = np.random.default_rng(1)

    def prepare(temporary):
        np.save(temporary / "centroids.npy", unit(rng, 12, DIM))

    create_index(directory, IndexSettings("images", fields, ORIGIN), prepare)
    with IndexWriter(directory) as writer:
        for segment in range(SEGMENTS):
            lengths = {
                name: rng.integers(1, 5, IN_SEGMENT) if name != "vector" else np.ones(IN_SEGMENT, int)
                for name in fields
            }
            lengths["codes"] = lengths["fragments"]
            rows = {
                name: rng.integers(0, 12, lengths[name].sum()).astype(np.uint16)
                if kind.precision == UINT16
                else unit(rng, lengths[name].sum(), DIM)
                for name, kind in fields.items()
            }
            names = [f"{segment}-{item}" for item in range(IN_SEGMENT)]
            writer.add(names, [f"{name}.jpg" for name in names], {name: (rows[name], lengths[name]) for name in fields})
            writer.commit()
        writer.delete(["0-1", "1-7"])
        writer.commit()


def use_index(directory):
    """Open, search in every mode, list, delete, compact; what is returned is a result."""
    query = unit(np.random.default_rng(2), 3, DIM)
    searcher = Searcher(directory, threads=1)
    for mode in searcher.modes:
        for only in (None, ["0-0", "1-3", "2-8"]):
            for hit in searcher.search_fragments(query, query[0], k=4, mode=mode, candidates=5, only=only):
                assert isinstance(hit.id, str) and isinstance(hit.score, float) and isinstance(hit.file, str)
    with IndexWriter(directory, wait=0) as writer:
        writer.delete(["2-2", "0-3"])
        writer.add([], [], {})
        writer.commit()
        writer.compact()
        writer.commit()
    searcher.refresh()
    return len(open_index(directory))


def refuses_to_verify(directory):
    try:
        verify_index(directory)
    except InputError:
        return
    raise AssertionError("a file is another than the manifest lists, and verify_index found nothing")


def make_faiss(directory):
    from inflate_shrink.search.faiss_build import build_faiss

    make_index(
        directory, {"fragments": FieldSettings("float32", DIM), "vector": FieldSettings("int8", DIM, (0.1,) * DIM)}
    )
    build_faiss(open_index(directory), "vector", "flat")


def make_encoder(directory):
    directory.mkdir()
    for name, content in {
        "model.json": "{}",
        "model.pdiparams": "weights",
        "vocab.txt": "\n".join([*PIECES, ""]),
    }.items():
        (directory / name).write_text(content)
    write_meta(
        directory,
        {
            "side": "text",
            "dim": DIM,
            "model": {"fingerprint": "0"},
            "paddle": "3.3.1",
            "positions": 3,
            "tokenizer": TOKENIZER,
        },
    )


def use_encoder(directory):
    encoders.open_graph = lambda *arguments: None
    encoder = encoders.QueryEncoder(directory)
    encoder.tokenizer.is_cut("a dogs dog")
    return encoder._trimmed(encoder.tokenizer(["a dogs dog"])).shape


def make_inverted(directory):
    scores = np.abs(unit(np.random.default_rng(3), 5, len(PIECES)))
    origin = {"tokenizer": TOKENIZER, "model": {"name": "", "fingerprint": "0", "checkpoint": "c"}, **ORIGIN}
    write_inverted_index(
        directory, [scores], [(f"{n}", f"{n}.jpg") for n in range(5)], "\n".join([*PIECES, ""]).encode(), origin
    )


def use_inverted(directory):
    index = InvertedIndex(directory)
    return len(index.search("a dogs dog", 3)), index.describe()


def relist_manifest(directory):
    """Sizes and checksums as they are now, where the manifest still has lists of files."""
    path = directory / "manifest.json"
    value = json.loads(path.read_text())
    for part in (value, *value["segments"]):
        for name in part["files"]:
            if (directory / name).is_file():
                part["files"][name] = measure(directory / name)
    write_manifest(path, value)


def write_manifest(path, value):
    body = json.dumps({key: value[key] for key in value if key != "crc32"}, indent=1)[:-2].encode()
    path.write_bytes(body + (_END % zlib.crc32(body)).encode())


def write_encoder_meta(path, value):
    value.pop("crc32", None)
    crc = zlib.crc32(json.dumps(value, sort_keys=True).encode())
    path.write_text(json.dumps({"crc32": f"{crc:08x}", **value}))


def relist_encoder(directory):
    meta = json.loads((directory / "encoder.json").read_text())
    meta["files"] = {name: measure(directory / name) for name in meta["files"] if (directory / name).exists()}
    write_encoder_meta(directory / "encoder.json", meta)


def write_sidecar(path, value):
    value.pop("json_crc32", None)
    path.write_text(json.dumps(signed(value)))


def write_json(path, value):
    path.write_text(json.dumps(value))


FRAGMENTS = FieldSettings("int8", DIM, (0.1,) * DIM)
KINDS = {  # how to make one, to use it, to list its files anew; its JSON files, and how each is written
    "codes": (
        lambda place: make_index(place, {"fragments": FRAGMENTS, "codes": FieldSettings(UINT16, 1)}),
        use_index,
        relist_manifest,
        {"manifest.json": write_manifest},
    ),
    "bfloat16": (
        lambda place: make_index(place, {"fragments": FieldSettings("bfloat16", DIM)}),
        use_index,
        relist_manifest,
        {"manifest.json": write_manifest},
    ),
    "faiss": (
        make_faiss,
        use_index,
        relist_manifest,
        {"manifest.json": write_manifest, "faiss/vector-4.json": write_sidecar},
    ),
    "encoder": (make_encoder, use_encoder, relist_encoder, {"encoder.json": write_encoder_meta}),
    "inverted": (make_inverted, use_inverted, lambda place: write_file_list(place, FILES), {"meta.json": write_json}),
}


def damage_json(draw, value):
    """Change one value, anywhere; returns what was done."""
    parents = []

    def walk(part, where):
        for key in list(part) if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else ():
            parents.append((part, key, f"{where}.{key}"))
            walk(part[key], f"{where}.{key}")

    walk(value, "")
    part, key, where = draw.choice(parents)
    way = draw.random()
    if way < 0.15:
        del part[key]
        return f"{where} deleted"
    if way < 0.25 and isinstance(part, dict):
        part[draw.choice(("new", "..", "/etc/passwd", "\ud800", "segments/x"))] = (
            part.pop(key) if draw.random() < 0.5 else part[key]
        )
        return f"{where} under another key"
    if type(part[key]) is int and way < 0.7:
        part[key] += draw.choice((-1, 1, 2, 8, 100_000, -100_000))
    else:
        part[key] = draw.choice(NUMBERS if draw.random() < 0.5 else OTHERS)
    return f"{where} = {ascii(part[key])[:60]}"


def damage_bytes(draw, path):
    data = bytearray(path.read_bytes())
    way, place = draw.randrange(8), draw.randrange(max(1, len(data)))
    if way == 0:
        path.unlink()
        return "removed"
    if way == 1:
        path.write_bytes(data[:place])
        return f"cut at {place}"
    if way == 2:
        path.write_bytes(bytes(data) + draw.randbytes(draw.choice((1, 8, 100))))
        return "longer"
    if way == 3 and path.name != "manifest.json":
        path.unlink()
        path.symlink_to("/etc/passwd")
        return "a link"
    if way == 4:
        place -= place % 8
        data[place : place + 8] = draw.choice(NUMBERS[:14]).to_bytes(9, "little", signed=True)[:8]
    elif way == 5:
        data[place:] = draw.randbytes(len(data) - place)
    elif data:
        data[place] = draw.randrange(256) if way == 6 else data[place] ^ 1 << draw.randrange(8)
    path.write_bytes(data)
    return f"way {way} at {place}"


def damage(draw, directory, relist, jsons):
    """What was done, and whether to a file that the manifest lists without listing it anew."""
    name = draw.choice(
        [*jsons] * 5
        + sorted(
            path.relative_to(directory).as_posix()
            for path in directory.rglob("*")
            if path.is_file() and path.name != "lock"
        )
    )
    path = directory / name
    if name in jsons and draw.random() < 0.9:
        value = json.loads(path.read_text())
        what = damage_json(draw, value)
        jsons[name](path, value)
        if name == "meta.json":
            relist(directory)
        return f"{name}: {what}", False
    before = path.read_bytes()
    what = damage_bytes(draw, path)
    if name not in jsons and path.is_file() and draw.random() < 0.7:
        relist(directory)
        return f"{name}: {what}, listed", False
    return f"{name}: {what}", not name.startswith("faiss/") and (not path.is_file() or path.read_bytes() != before)


def main(seed, count):
    os.fsync = lambda descriptor: None
    found = {"result": 0, "refused": 0}
    with tempfile.TemporaryDirectory() as place:
        kinds = []
        for name, (make, *rest) in KINDS.items():
            try:
                make(Path(place, name))
                kinds.append((name, *rest))
            except InputError as error:  # faiss is an extra
                assert name == "faiss", error
        for number in range(seed, seed + count):
            draw = random.Random(number)
            name, use, relist, jsons = kinds[number % len(kinds)]
            directory = Path(place, "damaged")
            shutil.copytree(Path(place, name), directory)
            what, changed = damage(draw, directory, relist, jsons)
            print(f"{number} {name}: {what}", flush=True)
            if changed and use is use_index:
                refuses_to_verify(directory)
            try:
                use(directory)
                found["result"] += 1
            except InputError as error:
                assert "\n" not in str(error) and str(error), repr(error)
                found["refused"] += 1
            shutil.rmtree(directory)
    print(f"{count} damages: {found['result']} gave a result, {found['refused']} were refused")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
