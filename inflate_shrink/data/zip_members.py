"""What a member of a zip archive may be, before it is unpacked."""

from __future__ import annotations

import zipfile

from ..errors import InputError


def check_method(member: zipfile.ZipInfo, where: str) -> None:
    """Raise InputError if a member is neither stored nor deflated: Python unpacks other methods without bound.

    Of those two zipfile gives no more than the size that the member declares, which the caller compares with a limit.
    """
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        method = zipfile.compressor_names.get(member.compress_type, f"method {member.compress_type}")
        raise InputError(
            f"{where}: packed by {method}, only stored and deflated members are read; pack it again by deflate"
        )
