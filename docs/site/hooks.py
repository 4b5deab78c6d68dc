"""What MkDocs calls while it makes a site of docs/: the menu, the pages of the API and the commands, and Markdown as GitHub reads it."""

import argparse
import importlib
import os
import re
import sys
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]
# A page that is in none of them comes under "More", so that a new one is never lost.
MENU = {
    "Start": ["index.md", "tutorial.md", "troubleshooting.md"],
    "Your photos": ["own_data.md", "data.md", "clip.md", "search.md", "serve.md", "page.md", "visualize.md"],
    "The paper": ["reproduction.md", "flickr30k_coco.md", "pipelines.md", "training.md"],
    "Results": ["results/*.md"],
    "The code": ["method.md", "library.md", "api.md", "commands.md"],
    "In depth": ["index_format.md", "kernel.md", "scale.md", "gpu.md", "reliability.md"],
}
# Each with the module where it is, since names of the face are imported at their first use.
API = {
    "What `import inflate_shrink as ins` offers": {
        "engine.loaded": ["load_model", "LoadedModel"],
        "engine.checkpoint": ["open_checkpoint", "Checkpoint"],
        "data.store": ["open_store", "Store", "Split"],
        "search.searcher": ["Searcher"],
        "search.ranking": ["Hit"],
        "scoring.fragments": ["Fragments"],
        "scoring.late_interaction": ["late_interaction"],
        "errors": ["InputError"],
    },
    "Encoders without the model's code": {"search.encoder.encoders": ["QueryEncoder", "ImageEncoder"]},
    "Recalls": {"metrics": ["recalls", "mean_recalls", "protocol_folds"]},
}


def on_config(config):
    """Give the site its menu: the pages that are there."""
    docs = Path(config.docs_dir)
    there = sorted(path.relative_to(docs).as_posix() for path in docs.rglob("*.md") if "site" not in path.parts[-2:])
    left, menu = {*there, "api.md", "commands.md"}, []
    for title, patterns in MENU.items():
        pages = [
            name
            for pattern in patterns
            for name in sorted(left)
            if Path(name).match(pattern) and "/" in pattern or name == pattern and name in left
        ]
        left -= set(pages)
        menu.append({title: pages})
    config.nav = [*menu, *([{"More": sorted(left)}] if left else [])]
    return config


def on_files(files, config):
    """Add the pages that are made of the code."""
    for name, text in (("api.md", api()), ("commands.md", commands())):
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    """Return a page as GitHub reads it: lists are nested by two columns, and links may leave docs/, where they become text."""
    return _without_outer_links(_nested_by_four(markdown), Path(page.file.src_path).parent, Path(config.docs_dir))


def api():
    """Return the page of the API as mkdocstrings reads it."""
    parts = [
        "# API",
        "What programs may use; [As a library](library.md) shows how. Each example below is run by a test.",
    ]
    for title, modules in API.items():
        parts.append(f"## {title}")
        for module, names in modules.items():
            parts += [f"::: inflate_shrink.{module}.{name}\n    options: {{heading_level: 3}}" for name in names]
    return "\n\n".join(parts)


def commands():
    """Return a page with the help of every command."""
    sys.path.insert(0, str(ROOT))
    from inflate_shrink.commands import names, summary

    parts = [
        "# Commands",
        "`python tools/NAME.py` in a clone, `inflate-shrink NAME` where the package is installed: what `--help` says of each.",
    ]
    parts.append("\n".join(f"- [`{name}`](#{name}): {summary(name)}" for name in names()))
    for name in names():
        parts.append(f"## {name}")
        parts += [f"```text\n{text.rstrip()}\n```" for text in helps(name)]
    return "\n\n".join(parts) + "\n"


class _Found(Exception):
    """In place of what a command does with its arguments."""


def helps(name):
    """Return the help of a command, and of each of its subcommands."""
    original, argv, columns = argparse.ArgumentParser.parse_args, sys.argv, os.environ.get("COLUMNS")

    def stop(parser, *given):
        raise _Found(parser)

    argparse.ArgumentParser.parse_args, sys.argv, os.environ["COLUMNS"] = stop, [f"inflate-shrink {name}"], "100"
    try:
        importlib.import_module(f"inflate_shrink.commands.{name}").main([])
    except _Found as found:
        parser = found.args[0]
        subcommands = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        return [parser.format_help(), *(each.format_help() for choices in subcommands for each in choices.values())]
    finally:
        argparse.ArgumentParser.parse_args, sys.argv = original, argv
        os.environ.pop("COLUMNS") if columns is None else os.environ.update(COLUMNS=columns)
    raise RuntimeError(f"{name} reads no arguments")


def _nested_by_four(markdown):
    lines, fenced, in_list = [], False, False
    for line in markdown.splitlines():
        fenced ^= line.lstrip().startswith("```")
        indent = len(line) - len(line.lstrip())
        if line and not indent and not fenced:
            in_list = bool(re.match(r"(-|\d+\.) ", line))
        if in_list and not fenced and line.strip():
            line = " " * {2: 4, 3: 4, 6: 8, 7: 8}.get(indent, indent) + line.lstrip()
        lines.append(line)
    return "\n".join(lines)


def _without_outer_links(markdown, folder, docs):
    def inner(match):
        text, target = match[1], match[2].partition("#")[0]
        inside = (
            not target or re.match(r"[a-z]+:", target) or docs.resolve() in (docs / folder / target).resolve().parents
        )
        return match[0] if inside else text

    return re.sub(r"\[([^\]]+)\]\(([^)\s]+)\)", inner, markdown)
