import hashlib

import pytest

from inflate_shrink.digest import hex_digest


@pytest.mark.parametrize("digits", [1, 16, 64])
def test_of_bytes_and_files_one_after_the_other(tmp_path, digits):
    (tmp_path / "large").write_bytes(b"x" * ((1 << 20) + 1))
    expected = hashlib.sha256(b"a" + b"x" * ((1 << 20) + 1) + b"b").hexdigest()[:digits]
    assert hex_digest([b"a", tmp_path / "large", b"b"], digits) == expected
    assert hex_digest((part for part in (b"a", tmp_path / "large", b"b")), digits) == expected


def test_keys_and_fingerprints_have_16_digits():
    assert hex_digest([b""]) == "e3b0c44298fc1c14"
