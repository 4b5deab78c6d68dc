"""A photo is described as a data set's photos were, by what the data set records of them."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inflate_shrink.data.bad_records import BadRecords
from inflate_shrink.data.captions.records import Caption
from inflate_shrink.data.extractors import carried_extraction
from inflate_shrink.data.prepare import prepare, region_source
from inflate_shrink.data.store import open_store
from inflate_shrink.errors import InputError
from inflate_shrink.extract.collection import extract_collection
from inflate_shrink.extract.extractor import Extractor, ExtractorSettings
from inflate_shrink.extract.photos import PhotoFolder
from inflate_shrink.extract.record import PhotoDescriber, read_photo
from inflate_shrink.json_values import JsonMapping


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Four photos of noise, two of them lying on their side."""
    folder, random = tmp_path_factory.mktemp("record") / "photos", np.random.default_rng(0)
    folder.mkdir()
    for number in range(4):
        height, width = (128, 192) if number % 2 else (224, 160)
        Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def data(photos, backbone, detector, tmp_path_factory):
    """Name -> data set: of grid cells, clustered to 5; of boxes; and one with captions of the first, clustered to 3."""
    pytest.importorskip("onnxruntime")
    place, bad = tmp_path_factory.mktemp("stores"), BadRecords(skip=False)
    kinds = {
        "cells": (ExtractorSettings(str(backbone), "unit", size=128), 5),
        "boxes": (ExtractorSettings(str(backbone), "unit", str(detector), "boxes", 96, 50), 32),
        "whole": (ExtractorSettings(str(backbone), "unit", size=128, whole=True), 6),
        "power": (ExtractorSettings(str(backbone), "unit", size=128, whole=True, power=0.5), 6),
    }
    for name, (settings, regions) in kinds.items():
        extract_collection(PhotoFolder(photos), place / name, settings, regions=regions, bad=bad)
    captions = [Caption(f"{number}.png", "a photo", "train", "here") for number in range(4)]
    captioned = {f"captioned {name}": name for name in ("cells", "whole", "power")}
    for name, source in captioned.items():
        prepare(
            place / name,
            captions,
            region_source([str(place / source)], "store", ""),
            lambda usable: ["[PAD]"],
            regions=3,
            dtype="float32",
            bad=bad,
        )
    return {name: open_store(place / name) for name in (*kinds, *captioned)}


def describer(store, record=None, **networks):
    """A function: the file of a photo -> its regions, as by a data set's record, or another."""
    record = store.meta["extraction"] if record is None else record
    describe = PhotoDescriber(
        JsonMapping(record, Path("meta.json")), store.meta["extractor"], store.directory, **networks
    )
    return lambda file: describe(read_photo(file), str(file))


@pytest.mark.parametrize(
    "name, count",
    [
        ("cells", 5),
        ("boxes", 2),
        ("whole", 6),
        ("power", 6),
        ("captioned cells", 3),
        ("captioned whole", 3),
        ("captioned power", 3),
    ],
)
def test_as_the_data_set_has_it(data, photos, name, count):
    store, describe = data[name], describer(data[name])
    with ThreadPoolExecutor(4) as threads:
        found = [*threads.map(describe, [photos / file for file in store.image_files] * 3)]
    for row, regions in enumerate(found):
        (expected,), (valid,) = store.read_regions([row % 4])
        assert regions.dtype == np.float32 and len(regions) == valid == count
        np.testing.assert_array_equal(regions, expected[:valid])
    assert np.ptp([regions.mean() for regions in found]) > 0


def test_the_whole_photo_stays_the_first_region(data, backbone):
    cells = Extractor(ExtractorSettings(str(backbone), "unit", size=128))
    for name, store in data.items():
        assert store.whole_first == ("whole" in name or "power" in name)
    for name in ("whole", "captioned whole"):
        store = data[name]
        for row, file in enumerate(store.image_files):
            width, height = store.image_sizes[row]
            mean = cells.describe(read_photo(store.image_root / file), file).features.mean(0)
            np.testing.assert_allclose(store.regions[row, 0], mean, atol=5e-4)
            assert store.boxes[row, 0].tolist() == [0, 0, width, height]
            assert np.abs(store.regions[row, 1:] - mean).max() > 2e-3


def test_numbers_are_raised_to_the_power_once(data, photos, tmp_path):
    whole, power = data["whole"], data["power"]
    np.testing.assert_allclose(power.regions, np.sqrt(whole.regions), rtol=2e-3)  # all above 0, in float16
    settings = ExtractorSettings(power.meta["extraction"]["backbone"], "unit", size=128, whole=True, power=0.5)
    again = tmp_path / "again"
    how = dict(regions=6, bad=BadRecords(skip=False))
    assert extract_collection(PhotoFolder(photos), again, settings, reuse=power.directory, **how).reused == 4
    np.testing.assert_array_equal(open_store(again).regions, power.regions)
    with pytest.raises(InputError, match="its extractor is 'the whole photo.*nothing of it can be reused"):
        extract_collection(PhotoFolder(photos), tmp_path / "other", settings, reuse=whole.directory, **how)


@pytest.mark.parametrize("regions, kept", [(1, "whole"), (0, "cells")])
def test_too_few_regions(data, photos, tmp_path, regions, kept):
    settings = ExtractorSettings(data["cells"].meta["extraction"]["backbone"], "unit", whole=kept == "whole")
    for call in (
        lambda: extract_collection(
            PhotoFolder(photos), tmp_path / "out", settings, regions=regions, bad=BadRecords(skip=False)
        ),
        lambda: prepare(
            tmp_path / "out",
            [],
            region_source([str(data[kept].directory)], "store", ""),
            lambda usable: [],
            regions=regions,
            bad=BadRecords(skip=False),
        ),
    ):
        with pytest.raises(InputError, match=rf"must be {regions + 1} or more(, .*the whole photo)?, found {regions}$"):
            call()


def test_networks_that_moved(data, photos, backbone, detector, tmp_path):
    store, moved = (
        data["boxes"],
        {
            "backbone": shutil.copy(backbone, tmp_path / "a.onnx"),
            "detector": shutil.copy(detector, tmp_path / "b.onnx"),
        },
    )
    record = {**store.meta["extraction"], "backbone": "gone/a.onnx", "detector": "gone/b.onnx"}
    np.testing.assert_array_equal(
        describer(store, record, **moved)(photos / "0.png"), describer(store)(photos / "0.png")
    )
    with pytest.raises(
        InputError,
        match=rf"^gone/b.onnx: not there, the detector that described the photos of {store.directory}; give its file as --detector$",
    ):
        describer(store, record, backbone=moved["backbone"])
    with pytest.raises(InputError, match="gone/a.onnx: not there, the backbone"):
        describer(store, record, detector=moved["detector"])


def test_other_networks(data, network, detector):
    other = str(network("Mul", np.ones((1, 3, 1, 1), np.float32), [1, 3, "h", "w"]))
    for name, networks in (
        ("cells", {"backbone": other}),
        ("boxes", {"backbone": other}),
        ("boxes", {"detector": other}),
    ):
        with pytest.raises(
            InputError,
            match="its photos were described by '.*mean.onnx sha256:.*', here are '.*net.onnx sha256:.*'; give the same networks",
        ):
            describer(data[name], **networks)
    with pytest.raises(InputError, match="described without a detector; leave out --detector"):
        describer(data["cells"], detector=str(detector))


@pytest.mark.parametrize(
    "key, value, says",
    [
        ("size", 1 << 30, "size: expected a whole number from 32 to 4096"),
        ("boxes", 0, "boxes: expected a whole number from 1 to 2048"),
        ("backbone", None, "backbone: expected a text"),
        ("power", 0, "power: expected a number above 0 and 1 at most, found 0"),
        ("power", True, "power: expected a number above 0 and 1 at most, found True"),
        ("clusterings", [], "clusterings: expected one or more, found none"),
        ("whole", 1, "whole: expected true or false, found 1"),
        ("detector_preset", "mine", "detector_preset: expected 'yolox' or"),
        (
            "clusterings",
            [{"regions": 0, "dtype": "float16"}],
            r"clusterings\[0\].regions: expected a whole number from 1",
        ),
        (
            "clusterings",
            [{"regions": 3, "dtype": "object"}],
            r"clusterings\[0\].dtype: expected 'float16' or 'float32'",
        ),
        ("clusterings", 3, "clusterings: expected a list"),
    ],
)
def test_damaged_records(data, key, value, says):
    with pytest.raises(InputError, match=f"^meta.json: {says}"):
        describer(data["cells"], {**data["cells"].meta["extraction"], key: value})


def test_what_is_no_photo(data, tmp_path):
    describe = describer(data["cells"])
    (tmp_path / "notes.txt").write_text("Rome, May")
    for file, says in (
        (tmp_path / "none.jpg", "no such photo"),
        (tmp_path, "no such photo"),
        (tmp_path / "notes.txt", "not an image of a kind"),
    ):
        with pytest.raises(InputError, match=f"^{file}: {says}"):
            describe(file)


def test_data_sets_that_differ_record_nothing(data, tmp_path):
    stores = [shutil.copytree(data["cells"].directory, tmp_path / name) for name in ("one", "two")]
    captions = [Caption("0.png", "a photo", "train", "here")]

    def recorded(change):
        meta = json.loads((stores[1] / "meta.json").read_text())
        (stores[1] / "files.json").unlink(missing_ok=True)
        (stores[1] / "meta.json").write_text(json.dumps(change(meta)))
        sources = region_source([str(stores[1])], "store", ""), region_source(list(map(str, stores)), "store", "")
        return [source.extractions for source in sources]

    for change, expected in (
        (lambda meta: meta, [True, True]),
        (lambda meta: {**meta, "extraction": {**meta["extraction"], "backbone": "/moved.onnx"}}, [True, True]),
        (
            lambda meta: {
                **meta,
                "extraction": {**meta["extraction"], "clusterings": [{"regions": 9, "dtype": "float16"}]},
            },
            [True, False],
        ),
        (lambda meta: {key: value for key, value in meta.items() if key != "extraction"}, [False, False]),
    ):
        assert [carried_extraction(records, 3, "float16") is not None for records in recorded(change)] == expected
    prepare(
        tmp_path / "out",
        captions,
        region_source([str(stores[1])], "store", ""),
        lambda usable: ["[PAD]"],
        bad=BadRecords(skip=False),
    )
    assert "extraction" not in open_store(tmp_path / "out").meta
