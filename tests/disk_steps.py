"""What a process does to the disk, step by step: to be stopped before any of them."""

import builtins
import errno
import functools
import io
import itertools
import os
from contextlib import contextmanager
from unittest import mock

import inflate_shrink  # noqa: F401  first, as everywhere
from inflate_shrink.checked_files import FileWriter
from inflate_shrink.weight_files import safetensors_file

TAKING_ROOM = [
    *((os, name) for name in ("fsync", "replace", "mkdir", "ftruncate", "symlink", "pwrite", "posix_fallocate")),
    (FileWriter, "write"),
    (safetensors_file, "save_file"),
]
GIVING_ROOM = [(os, "unlink"), (os, "rmdir")]


@contextmanager
def before_each_step(act, steps=(*TAKING_ROOM, *GIVING_ROOM)):
    """Call ``act(number from 1)`` before every step that changes the disk, opening a file to be written among them."""
    numbers = itertools.count(1)

    def wrapped(function, counts=lambda *arguments, **named: True):
        @functools.wraps(function)
        def call(*arguments, **named):
            if counts(*arguments, **named):
                act(next(numbers))
            return function(*arguments, **named)

        return call

    def to_write(file, mode="r", *others, **named):
        return any(letter in mode for letter in "wax+") and not isinstance(file, int) and str(file) != os.devnull

    with (
        mock.patch.object(builtins, "open", wrapped(open, to_write)),
        mock.patch.object(io, "open", wrapped(io.open, to_write)),
    ):
        patches = [mock.patch.object(owner, name, wrapped(getattr(owner, name))) for owner, name in steps]
        for patch in patches:
            patch.start()
        try:
            yield
        finally:
            for patch in patches:
                patch.stop()


@contextmanager
def full_disk(step):
    """Have no room left on any disk from that step on; yields a list of the numbers of the steps."""
    met = []

    def act(number):
        met.append(number)
        if number >= step:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with before_each_step(act, TAKING_ROOM):
        yield met
