"""A pickle makes plain values and calls what it is allowed to, and nothing that it says costs more memory than its bytes."""

import collections
import io
import os
import pickle

import pytest

from inflate_shrink.weight_files.pickles import Placeholder, Rebuilt, load_pickle, take_pairs

CONTENT = {
    "numbers": [0, 1, 255, 256, 65535, 65536, -1, 1 << 31, -(1 << 40), 1 << 300, 0.5, True, False, None],
    "texts": ("", "ä", "x" * 300, "y" * 70000),
    "sets": [{1, 2}, set()],
    "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
    "nested": {"a": {"b": [{"c": (1, [2])}]}},
}


def load(data, functions={}, persistent=None):
    return load_pickle(io.BytesIO(data), functions, persistent)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_plain_values(protocol):
    content = CONTENT if protocol == 4 else {key: value for key, value in CONTENT.items() if key != "sets"}
    assert load(pickle.dumps(content, protocol)) == content
    assert (
        protocol == 2
        or load(pickle.dumps([b"", b"x" * 300, frozenset([1])] if protocol == 4 else [b"", b"x"], protocol))[0] == b""
    )


def test_what_is_there_twice_is_one_thing():
    one = [1]
    first, second = load(pickle.dumps([one, one], 2))
    assert first is second
    one.append(one)
    loop = load(pickle.dumps(one, 4))
    assert loop[1] is loop


class Evil:
    def __init__(self, call):
        self.call = call

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    "function, arguments", [(os.system, ("touch {}",)), (eval, ("open({!r}, 'w')",)), (open, ("{}", "w"))]
)
def test_nothing_is_called(tmp_path, protocol, function, arguments):
    trap = tmp_path / "trap"
    call = function, tuple(argument.format(str(trap)) for argument in arguments)
    found = load(pickle.dumps({"a": Evil(call)}, protocol))["a"]
    assert isinstance(found, Placeholder) and found.name.endswith(f".{function.__name__}")
    assert not trap.exists()


class Object:
    def __init__(self):
        self.value = 1


def test_objects_are_placeholders_whatever_is_done_to_them():
    calls = [
        (Object, (), {"value": 1}),
        (collections.deque, (), None, iter([1, 2])),
        (collections.UserDict, (), None, None, iter([("a", 1)])),
    ]
    found = load(pickle.dumps([Object(), *map(Evil, calls)], 4))
    assert [type(thing) for thing in found] == [Placeholder] * 4
    assert [thing.name for thing in found[2:]] == ["collections.deque", "collections.UserDict"]


def test_functions_and_references():
    class Twice(Rebuilt):
        def __init__(self, number):
            self.number = number

        def build(self, state):
            return self.number * 2 + state["value"]

    thing = Evil((Object, (5,), {"value": 1}))
    data = pickle.dumps([thing, thing], 4)
    assert load(data, {(__name__, "Object"): Twice}) == [11, 11]
    assert load(b"\x80\x02X\x03\x00\x00\x00keyQ.", persistent=lambda key: key.upper()) == "KEY"
    pairs = pickle.dumps(collections.OrderedDict(a=1), 2)
    assert load(pairs, {("collections", "OrderedDict"): take_pairs}) == {"a": 1}


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02Nr\xff\xff\xff\x7f.",  # memory for 2**31 memos
        b"\x80\x04\x8e" + (1 << 40).to_bytes(8, "little") + b".",  # so many bytes
        b"\x80\x05\x96" + (1 << 33).to_bytes(8, "little") + b".",  # a bytearray
        b"\x80\x04\x8d" + (1 << 40).to_bytes(8, "little") + b".",  # a text
        b"\x80\x04\x95" + (1 << 40).to_bytes(8, "little") + b"N.",  # a frame
        b"\x80\x04\x8b\xff\xff\xff\x7f.",  # a number
    ],
)
def test_claims_cost_nothing(data, peak_memory):
    with peak_memory(at_most=1 << 20):
        try:
            assert load(data) is None  # the claim was of no use
        except ValueError:
            pass


def test_one_list_makes_one_dict(peak_memory):
    again = b"\x8c\x0bcollections\x8c\x0bOrderedDict\x93h\xff\x85R"
    data = (
        b"\x80\x04]("
        + pickle.dumps([(number, None) for number in range(10000)], 2)[2:-1]
        + b"q\xff"
        + again * 300
        + b"e."
    )
    with peak_memory(at_most=1 << 24):
        found = load(data, {("collections", "OrderedDict"): take_pairs})
    assert len(found) == 301 and len(found[1]) == 10000 and not any(found[2:])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04",
        b"\x80\x04.",
        b"\x80\x04K",
        b"\x80\x04h\x00.",
        b"\x80\x04t.",
        b"not a pickle",
        b"\x80\x04]\x94(K\x01",
        b"\x82\x01.",
    ],
)
def test_damaged(data):
    with pytest.raises((ValueError, KeyError, IndexError)):
        load(data)


def test_endless(monkeypatch):
    monkeypatch.setattr("inflate_shrink.weight_files.pickles.MOST_INSTRUCTIONS", 1000)
    with pytest.raises(ValueError, match="more than 1000 instructions"):
        load(b"\x80\x04" + b"]" * 2000 + b".")
