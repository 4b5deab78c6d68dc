"""What a reader of files that others wrote is, for the tests that change them."""

import io
import zipfile
from contextlib import suppress
from typing import Callable, NamedTuple

from mutations import mutate

import inflate_shrink  # noqa: F401  first, as everywhere
from inflate_shrink.data.bad_records import BadRecords
from inflate_shrink.errors import InputError


class Seed(NamedTuple):
    """A part of a whole file that is changed, and what makes a file of it again."""

    part: bytes
    file: Callable = bytes
    mutate: Callable = mutate


class Reader(NamedTuple):
    """``seeds(directory)``: to be changed. ``read(path)``: its answer. ``check(answer, data, whole)``: whether it is
    right for a file of these bytes, ``whole`` being the unchanged ones; raises AssertionError if not."""

    seeds: Callable
    read: Callable
    check: Callable
    name: str = "file"


def plain(*parts):
    return lambda directory: [Seed(part) for part in parts]


def zip_member(name):
    """The seed of a member of the archive, which is packed again with a right checksum."""

    def seed(data):
        archive = zipfile.ZipFile(io.BytesIO(data))
        members = {member: archive.read(member) for member in archive.namelist()}

        def file(part):
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as written:
                for member, content in {**members, name: part}.items():
                    written.writestr(member, content)
            return packed.getvalue()

        return Seed(members[name], file)

    return seed


def skipping_too(read, check):
    """Read a path; where a bad record stops that, it must be possible to leave such out, too."""

    def both(path):
        try:
            return read(path, BadRecords())
        except InputError:
            skipping = BadRecords(skip=True)
            skipping.count = 1000  # these are not printed
            with suppress(InputError):
                check(read(path, skipping), b"", b"")
            raise

    return both
