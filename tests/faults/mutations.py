"""Bytes, changed at random by Hypothesis, which finds the smallest change that is one too many."""

import copy
import json
import os
import random

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st

SEED = int(os.environ.get("INFLATE_SHRINK_FAULTS_SEED", 0))  # another one tries other faults
_CALM = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
EDITS = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=3)  # each the seed of a way, a place and a value
TEXTS = [
    *(b"0", b"-1", b"1e400", b"NaN", b"9" * 30, b"9" * 5000, b"null", b"true", b"{}", b"[]", b"[" * 3000, b'"', b"''"),
    *(b"../../etc/passwd", b"/etc/passwd", b"\0", b"\\ud800", b"\xed\xa0\x80", b"\xff", b"\xef\xbb\xbf", b"\xe2\x80\xa8"),
    *(b"\n", b"\r\n", b"\t", b",", b":", b"#", b"&a *a", b"!!python/name:os.system ", b"[PAD]", b"\xc3\xa9", b" "),
]  # fmt: skip
NUMBERS = [0, 1, -1, 127, 128, 255, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, -(2**63), 10**9]
OTHERS = [
    *NUMBERS,
    10**30,
    10**400,
    0.5,
    1e300,
    float("nan"),
    None,
    True,
    "",
    "x",
    "..",
    "\0",
    "\ud800",
    [],
    {},
    [1],
    [[]],
]


VARIANTS = 10  # that an example of Hypothesis stands for: to draw one takes longer than to read most files


def variants(edits):
    """Yield some edits and others beside them, as many."""
    for number in range(VARIANTS):
        yield [edit ^ number * 0x9E3779B9 & 0xFFFFFFFF for edit in edits]


def tries(count):
    """The settings of a test of so many inputs, all their variants: the same ones whenever the seed is the same."""

    def decorate(test):
        chosen = settings(
            max_examples=count // VARIANTS,
            deadline=None,
            database=None,
            suppress_health_check=_CALM,
            phases=[Phase.generate, Phase.shrink],
        )
        return seed(SEED)(chosen(test))

    return decorate


def _parts(edits):
    for edit in edits:
        chance = random.Random(edit)
        yield chance.randrange(9), chance.getrandbits(30), chance.getrandbits(30)


def mutate(data, edits):
    """Return bytes with some changes."""
    data = bytearray(data)
    for way, place, value in _parts(edits):
        at = place % (len(data) + 1)
        if way == 0:  # one bit
            data[at : at + 1] = bytes(byte ^ 1 << value % 8 for byte in data[at : at + 1])
        elif way == 1:
            data[at : at + 1] = bytes([value % 256])
        elif way == 2:
            del data[at:]
        elif way == 3:
            del data[at : at + 1 + value % 40]
        elif way == 4:  # a part once more
            data[at:at] = data[value % (len(data) + 1) :][: 1 + value % 60]
        elif way == 5:
            data[at:at] = TEXTS[value % len(TEXTS)]
        elif way == 6:  # in place of what is there
            text = TEXTS[value % len(TEXTS)]
            data[at : at + len(text)] = text
        elif way == 7:
            size = 1 << value % 4
            number = NUMBERS[value // 4 % len(NUMBERS)] % (1 << 8 * size)
            data[at : at + size] = number.to_bytes(size, "little" if value % 8 < 4 else "big")
        else:  # near the start, where headers are
            data[at % 64 : at % 64 + 1] = bytes([value % 256])
    return bytes(data)


def mutate_json(text, edits):
    """Return JSON text with some of its values changed, so that it can still be parsed."""
    value = json.loads(text)
    for way, place, number in _parts(edits):
        parents = list(_parents(value))
        if not parents:
            break
        part, key = parents[place % len(parents)]
        if way < 2:
            del part[key]
        elif way == 2 and isinstance(part, dict):
            part[("new", "..", "\ud800", "")[number % 4]] = part.pop(key)
        elif way < 5 and type(part[key]) in (int, float):
            part[key] += (-1, 1, 2, 8, 100_000, -100_000)[number % 6]
        elif way == 5 and isinstance(part, list):
            part.insert(number % (len(part) + 1), copy.deepcopy(part[key]))
        else:
            part[key] = copy.deepcopy(OTHERS[number % len(OTHERS)])
    return json.dumps(value).encode()


def _parents(value):
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _parents(value[key])
