"""Reading region files as a consumer does, and small files of every format."""

import numpy as np
import pytest

import region_file_bytes
from inflate_shrink.data.bad_records import BadRecords
from inflate_shrink.data.region_files import FORMATS
from inflate_shrink.errors import InputError


@pytest.fixture
def read():
    """``read(format, *paths, skip=False)``: {image id: Regions} and the number of bad records."""

    def _read(name, *paths, skip=False):
        bad, found = BadRecords(skip), {}
        for item in FORMATS[name].items(paths, bad):
            assert item.image_id not in found
            try:
                found[item.image_id] = FORMATS[name].decode(item)
            except InputError as error:
                bad.report(error)
        return found, bad.count

    return _read


@pytest.fixture
def refused(read):
    """``refused(format, *paths, says=[...])``: reading stops with one line that holds all the parts."""

    def _refused(name, *paths, says):
        with pytest.raises(InputError) as caught:
            read(name, *paths)
        message = str(caught.value)
        assert "\n" not in message
        for part in says:
            assert str(part) in message

    return _refused


@pytest.fixture
def tsv_line():
    return region_file_bytes.tsv_line


@pytest.fixture
def oscar_line():
    return region_file_bytes.oscar_line


@pytest.fixture
def npz_bytes():
    return region_file_bytes.npz_bytes


@pytest.fixture
def write_rows():
    """``write_rows(folder, rows, layout="scan", split="train", images=3)``: array with row i full of i, and its captions."""

    def _write(folder, rows, layout="scan", split="train", images=3, dtype=np.float32):
        suffix, captions = {"scan": ("_ims.npy", "_caps.txt"), "released": ("_100featc32.npy", "_caps.txt.bt")}[layout]
        folder.mkdir(exist_ok=True)
        np.save(folder / (split + suffix), np.arange(rows, dtype=dtype)[:, None, None] + np.zeros((rows, 2, 3), dtype))
        (folder / (split + captions)).write_text("A dog.\n" * (5 * images))
        return folder / (split + suffix)

    return _write
