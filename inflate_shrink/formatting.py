"""Recalls and tables as text: on the terminal, in Markdown."""

from __future__ import annotations

from typing import Iterable, Sequence

HEADINGS = ("t2i R@1/5/10", "i2t R@1/5/10")


def slashes(values: Iterable[float], form: str = ".1f") -> str:
    """Write numbers such as R@1, R@5 and R@10 in percent with slashes between them.

    >>> slashes([64.52, 88.2, -0.01]), slashes([1.5, -2.0], "+.1f")
    ('64.5/88.2/0.0', '+1.5/-2.0')
    """
    return "/".join(f"{round(value, 1) + 0.0:{form}}" for value in values)  # + 0.0 leaves no -0.0


def recalls_text(result: dict, keys: Sequence[str] = ("r1", "r5", "r10")) -> list[str]:
    """Write the recalls of a result, one direction after the other.

    >>> recalls_text({"t2i": {"r1": 50.0, "r5": 75.0, "r10": 100.0}, "i2t": {"r1": 25.0, "r5": 50.0, "r10": 75.0}})
    ['50.0/75.0/100.0', '25.0/50.0/75.0']
    """
    return [slashes(result[side][key] for key in keys) for side in ("t2i", "i2t")]


def text_table(form: str, rows: Iterable[Sequence]) -> str:
    """Write rows as lines in columns.

    Args:
        form: the columns, as :meth:`str.format` takes them.

    >>> print(text_table("{:<6}{:>4}", [("model", "k"), ("I", 32)]))
    model    k
    I       32
    """
    return "\n".join(form.format(*row) for row in rows)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write rows as a table of Markdown; in a cell a line break becomes a space, and a bar no column.

    >>> print(markdown_table(["model", "codes"], [["I | B", "32"]]))
    | model | codes |
    | --- | --- |
    | I \\| B | 32 |
    """
    return "\n".join(f"| {' | '.join(map(markdown_cell, line))} |" for line in (header, ["---"] * len(header), *rows))


def markdown_cell(text: str) -> str:
    """Put a text on one line, with its bars escaped.

    >>> print(markdown_cell("one | two"))
    one \\| two
    """
    return " ".join(text.split()).replace("|", "\\|")
