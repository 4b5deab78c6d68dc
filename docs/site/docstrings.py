"""What griffe calls for each docstring, so that a page shows examples as code and names without the roles of Sphinx."""

import re

import griffe

_EXAMPLE = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)
_ROLE = re.compile(r":(?:class|func|mod|meth|attr|data):`[~.]*(?:[\w.]*\.)?(\w+)`")


class Docstrings(griffe.Extension):
    """Changes docstrings before they are parsed."""

    def on_object(self, *, obj, **given):
        """Fence the examples and shorten the references of an object's docstring."""
        if obj.docstring:
            obj.docstring.value = readable(obj.docstring.value)


def readable(text):
    """Return a docstring as Markdown."""
    return _ROLE.sub(r"`\1`", _EXAMPLE.sub(lambda found: f"```pycon\n{found[0]}\n```", text))
