"""Readers of regions, arrays, weights, photos and networks: whole files, how they are asked, what must hold of an answer."""

import collections
import io
import json
import pickle
import struct

import numpy as np
import safetensors.numpy
from mutations import mutate_json
from PIL import Image
from reading import Reader, Seed, plain, skipping_too, zip_member

import inflate_shrink  # noqa: F401  first, as everywhere
import region_file_bytes
from inflate_shrink.data.image_ids import safe_name
from inflate_shrink.data.npy import map_npy
from inflate_shrink.data.region_files import FORMATS as REGION_FORMATS
from inflate_shrink.errors import InputError
from inflate_shrink.extract.decode import open_photo
from inflate_shrink.extract.onnx_files import external_files
from inflate_shrink.search.centroids import read_centroids
from inflate_shrink.weight_files.paddle_file import read_paddle_file
from inflate_shrink.weight_files.safetensors_file import read_safetensors
from inflate_shrink.weight_files.torch_file import read_torch_file
from released_files import Call, contiguous, save_legacy, save_zip

# ---- regions


def _npz(directory):
    both = [region_file_bytes.npz_bytes(kind, compressed=False) for kind in ("bottom_up", "uniter")]
    members = [("x.npy", "bbox.npy", "num_bbox.npy"), ("features.npy", "norm_bb.npy")]
    packed = [zip_member(name)(data) for data, names in zip(both, members) for name in names]
    return [*map(Seed, both), Seed(region_file_bytes.npz_bytes("bottom_up")), *packed]


def _rows(kind):
    def seeds(directory):
        captions = {"scan": "train_caps.txt", "released": "train_caps.txt.bt"}[kind]
        (directory / captions).write_text("A dog.\n" * 15)
        file = io.BytesIO()
        np.save(file, np.arange(3, dtype=np.float32)[:, None, None] + np.zeros((3, 2, 3), np.float32))
        return [Seed(file.getvalue())]

    return seeds


def _regions(kind):
    def read(path, bad):
        form, found = REGION_FORMATS[kind], []
        for item in form.items([path], bad):
            try:
                found.append((item, form.decode(item)))
            except InputError as error:
                bad.report(error)
        return found

    return skipping_too(read, _check_regions)


def _check_regions(found, data, whole):
    for item, regions in found:
        count, dimension = regions.features.shape
        assert safe_name(item.image_id) and count > 0 and dimension > 0 and regions.boxes.shape == (count, 4)
        assert regions.features.dtype == regions.boxes.dtype == np.float32 and type(regions.width) is int
        assert np.isfinite(regions.features).all() and np.isfinite(regions.boxes).all()


# ---- arrays and weights


def _npy(*arrays):
    def data(array):
        file = io.BytesIO()
        np.save(file, array)
        return file.getvalue()

    return plain(*map(data, arrays))


def _check_npy(found, data, whole):
    expected = np.load(io.BytesIO(data), allow_pickle=False)
    assert found.dtype == expected.dtype and found.shape == expected.shape and found.tobytes() == expected.tobytes()


def _check_centroids(found, data, whole):
    assert found.dtype == np.float32 and found.shape[1:] == (3,) and np.isfinite(found).all()


_ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.arange(4, dtype=np.int64)}


def _safetensors(directory):
    data = safetensors.numpy.save(_ARRAYS, {"made by": "a test"})
    size = struct.unpack("<Q", data[:8])[0]

    def file(header):
        return struct.pack("<Q", len(header)) + header + data[8 + size :]

    header = data[8 : 8 + size]
    return [Seed(data), Seed(header, file), Seed(header.rstrip(), file, mutate_json)]


def _check_safetensors(found, data, whole):
    arrays, metadata = found
    header = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
    assert isinstance(metadata, dict) and set(arrays) == set(header) - {"__metadata__"}
    for name, array in arrays.items():
        begin, end = header[name]["data_offsets"]
        numbers = data[len(data) - _length(header) + begin :][: end - begin]
        if header[name]["dtype"] != "BF16":
            assert array.tobytes() == numbers and list(array.shape) == header[name]["shape"]


def _length(header):
    return max((entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=0)


_CONTENT = {"model": [collections.OrderedDict(a=contiguous(np.arange(6.0).reshape(2, 3)))], "epoch": 3, "ids": {1, 2}}


def _torch(save):
    def seeds(directory):
        save(directory / "torch", {**_CONTENT, "opt": Call("os", "system", "false")})
        data = (directory / "torch").read_bytes()
        return [Seed(data), *([zip_member("archive/data.pkl")(data)] if save is save_zip else [])]

    return seeds


def _paddle(directory):
    arrays = {"a": ("generated_0", _ARRAYS["a"]), "b": _ARRAYS["b"], "inner": {"n": 3, "none": None}}
    return [Seed(pickle.dumps(arrays, protocol=protocol)) for protocol in (2, 3, 4)]


def _check_weights(found, data, whole):
    """Nothing is bigger than the file, and arrays are of numbers."""
    seen, left = set(), [found]
    while left:
        part = left.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, np.ndarray):
            assert part.dtype.kind in "biuf" and part.nbytes <= 2 * len(data)
        elif isinstance(part, dict):
            left += part.values()
        elif isinstance(part, (list, tuple)):
            left += part


# ---- photos and networks


def _photo(kind, **options):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return plain(file.getvalue())


def _check_photo(photo, data, whole):
    assert photo.image.mode == "RGB" and photo.image.size == (photo.width, photo.height)
    assert 0 < photo.width * photo.height <= 1_000_000


def _onnx(directory):
    def field(number, content):
        return bytes([number << 3 | 2, len(content)]) + content

    (directory / "weights.bin").write_bytes(b"1")
    entry = field(13, field(1, b"location") + field(2, b"weights.bin"))
    graph = b"".join([field(5, entry), field(1, field(5, field(5, entry)))])
    return [Seed(field(7, graph))]


def _check_onnx(files, data, whole):
    assert all(file.name == "weights.bin" for file in files)


def _image(path):
    return open_photo(path.read_bytes(), str(path), max_pixels=1_000_000)


_TSV = b"".join(region_file_bytes.tsv_line(number, 3) + b"\n" for number in range(3))
_OSCAR = b"".join(region_file_bytes.oscar_line(number, 1, number % 2) + b"\n" for number in range(2))

BINARIES = {
    "regions, bottom-up TSV": Reader(plain(_TSV), _regions("tsv"), _check_regions),
    "regions, Oscar TSV": Reader(plain(_OSCAR), _regions("oscar"), _check_regions),
    "regions, npz": Reader(_npz, _regions("npz"), _check_regions, "1.npz"),
    "regions, SCAN npy": Reader(_rows("scan"), _regions("scan"), _check_regions, "train_ims.npy"),
    "regions, released npy": Reader(_rows("released"), _regions("released"), _check_regions, "train_100featc32.npy"),
    "npy": Reader(_npy(np.ones((2, 3)), np.asfortranarray(np.ones((2, 3), "f2")), np.arange(3)), map_npy, _check_npy),
    "npy, centroids": Reader(_npy(np.ones((4, 3), np.float32)), lambda path: read_centroids(path, 3), _check_centroids),
    "safetensors": Reader(_safetensors, read_safetensors, _check_safetensors),
    "pickle, Paddle": Reader(_paddle, read_paddle_file, _check_weights),
    "pickle, PyTorch zip": Reader(_torch(save_zip), read_torch_file, _check_weights),
    "pickle, PyTorch legacy": Reader(_torch(save_legacy), read_torch_file, _check_weights),
    "ONNX, external files": Reader(_onnx, external_files, _check_onnx),
    "photo, JPEG": Reader(_photo("JPEG"), _image, _check_photo),
    "photo, progressive JPEG": Reader(_photo("JPEG", progressive=True), _image, _check_photo),
    **{f"photo, {kind}": Reader(_photo(kind), _image, _check_photo) for kind in ("PNG", "GIF", "WEBP", "TIFF", "BMP")},
}
