"""Pickles that can reach nothing.

A pickle can name any function of any module to be called. Here its instructions are carried out by
this module: they make numbers, texts, bytes, lists, tuples, dicts and sets, and call the functions that a reader
names. Every other class or function is a :class:`Placeholder`, and so is what calling it returns.

Memory is bounded by the size of the file: what an instruction asks for is never made room for before its bytes
are there, and no list, text or number can be copied over and over.
"""

from __future__ import annotations

import pickletools
from abc import ABC, abstractmethod
from typing import BinaryIO, Callable

MOST_INSTRUCTIONS = 1_000_000  # that one pickle may have; the optimizer of a BERT of 24 layers has 50,000

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_CONTAINERS = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_SET": set}
_VALUES = {
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("SHORT_BINSTRING", "BINSTRING"),  # Python 2's texts, read as Latin-1
    *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_FROM_MARK = {"TUPLE": tuple, "FROZENSET": frozenset}
_PUT, _GET = ("BINPUT", "LONG_BINPUT"), ("BINGET", "LONG_BINGET")


class Placeholder:
    """Stands for a class or function that is not needed, or for an object of it. ``name``: module.name."""

    def __init__(self, name: str):
        self.name = name


class Rebuilt(ABC):
    """What a function returns where the pickle gives the rest afterwards: ``build`` makes the ``value`` of it, once."""

    value = None

    @abstractmethod
    def build(self, state):
        """Make the value of ``state``, which the pickle gives once."""


def load_pickle(file: BinaryIO, functions: dict[tuple[str, str], Callable], persistent: Callable | None = None):
    """Read one pickle of protocol 2 to 4.

    Args:
        file: its ``read(n)`` must not take memory for bytes that are not there; left after the pickle.
        functions: (module, name) -> the function that stands for it, or a text. What functions return must not be
            longer than the arguments, which they take from the pickle (:func:`take_pairs`) or share.
        persistent: turns a reference to something outside the pickle into it.

    Raises:
        ValueError, KeyError, IndexError, TypeError or what a function raises: the bytes are no whole pickle.
    """
    stack, marks, memo = [], [], {}

    def since_mark() -> list:
        start = marks.pop()
        items = stack[start:]
        del stack[start:]
        return items

    def call(function, arguments):
        if isinstance(function, Placeholder):
            return Placeholder(function.name)
        return function(*arguments)

    for count, (instruction, value, _) in enumerate(pickletools.genops(file)):
        name = instruction.name
        if count == MOST_INSTRUCTIONS:
            raise ValueError(f"a pickle of more than {MOST_INSTRUCTIONS} instructions")
        if name in _VALUES:
            stack.append(value)
        elif name in _PUT:
            memo[value] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in _GET:
            found = memo[value]
            stack.append(found if not isinstance(found, Rebuilt) or found.value is None else found.value)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _CONTAINERS:
            stack.append(_CONTAINERS[name]())
        elif name in _TUPLES:
            items = stack[-_TUPLES[name] :]
            stack[-_TUPLES[name] :] = [tuple(items)]
        elif name == "MARK":
            marks.append(len(stack))
        elif name in _FROM_MARK:
            stack.append(_FROM_MARK[name](since_mark()))
        elif name in ("APPEND", "APPENDS"):
            items = since_mark() if name == "APPENDS" else [stack.pop()]
            if type(stack[-1]) is list:
                stack[-1].extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = since_mark() if name == "SETITEMS" else [stack.pop(-2), stack.pop()]
            if type(stack[-1]) is dict:
                stack[-1].update(zip(items[::2], items[1::2]))
        elif name == "ADDITEMS":
            items = since_mark()
            if type(stack[-1]) is set:
                stack[-1].update(items)
        elif name == "GLOBAL":
            module, _, attribute = value.partition(" ")
            stack.append(functions.get((module, attribute)) or Placeholder(f"{module}.{attribute}"))
        elif name == "STACK_GLOBAL":
            attribute, module = stack.pop(), stack.pop()
            stack.append(functions.get((module, attribute)) or Placeholder(f"{module}.{attribute}"))
        elif name in ("REDUCE", "NEWOBJ"):
            arguments = stack.pop()
            stack.append(call(stack.pop(), arguments))
        elif name == "NEWOBJ_EX":
            _named, arguments = stack.pop(), stack.pop()
            stack.append(call(stack.pop(), arguments))
        elif name == "BUILD":
            state = stack.pop()
            if isinstance(stack[-1], Rebuilt):
                stack[-1].value = stack[-1].build(state)
                stack[-1] = stack[-1].value
        elif name == "OBJ":
            function, *arguments = since_mark()
            stack.append(call(function, arguments))
        elif name == "POP":
            stack.pop()
        elif name == "POP_MARK":
            since_mark()
        elif name == "BINPERSID" and persistent:
            stack.append(persistent(stack.pop()))
        elif name == "STOP":
            return stack.pop()
        elif name not in ("PROTO", "FRAME"):
            raise ValueError(f"the instruction {name} is not needed for weights")
    raise ValueError("the pickle does not end")  # never reached: genops raises


def take_pairs(pairs: list | None = None) -> dict:
    """Make a dict of ``pairs``, which are then gone: they make one dict, not any number."""
    result = dict(pairs or ())
    if pairs:
        pairs.clear()
    return result


def take_set(items: list) -> set:
    """Make a set of ``items``, which are then gone."""
    result = set(items)
    items.clear()
    return result
