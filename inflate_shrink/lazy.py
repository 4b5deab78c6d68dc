"""Names of a package that are imported from its modules at their first use."""

from __future__ import annotations

import importlib
import sys
from typing import Callable


def lazy_names(package: str, modules: dict[str, tuple[str, ...]]) -> tuple[Callable[[str], object], list[str]]:
    """Return a package's ``__getattr__`` (PEP 562) and ``__all__``, so that importing the package imports nothing else.

    Args:
        package: its ``__name__``.
        modules: the public names of each of its modules.
    """
    module_of = {name: module for module, names in modules.items() for name in names}

    def import_name(name: str) -> object:
        """Import a public name; raises AttributeError for another."""
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{module_of[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return import_name, sorted(module_of)
