"""Every command that README, docs and --help print is one that its tool takes, with a config that says what the page says.

Read are indented and fenced blocks, and code in a line that begins as a command. Two conventions make a page's training commands comparable with
its words: a comment such as ``# 3 epochs`` speaks of its command; "equal training (three epochs" and "three epochs a step" speak
of all training commands after it, up to the next heading. A model that a command reads from runs/demo is one of
`make demo`, or a command of the same page trains it.
"""

import argparse
import importlib
import re
import shlex
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from inflate_shrink.config import Config, load_config
from inflate_shrink.data.demo.build import draw_scene
from inflate_shrink.data.demo.spec import DemoSpec
from inflate_shrink.errors import InputError
from inflate_shrink.pipeline.plan import read_pipeline

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
NUMBERS = {word: number for number, word in enumerate("no one two three four five six".split())}
STATED = re.compile(r"equal training \((\w+) epochs?|(\w+) epochs? a step")
COMMENT = re.compile(r"#.*?\b(\w+) epochs?\b")
COMMAND = re.compile(r"(?:chrt -f \d+ )?(?:python tools/([a-z_]+)\.py|inflate-shrink ([a-z_]+))\b(.*)|make ([a-z-]+)")


class Command(NamedTuple):
    """text: as printed, on one line. tool: its name, or "make". epochs: that the page says it trains; None: nothing said."""

    text: str
    tool: str
    arguments: list
    epochs: "int | None"


def printed_commands(text):
    """The commands of a Markdown page, in order."""
    stated = None
    for kind, words in _blocks(text):
        for code in [words] if kind == "code" else re.findall(r"`([^`]+)`", words):
            found = COMMAND.match(code)
            if found and "..." not in code:
                comment = COMMENT.search(code)
                tool, arguments = found[1] or found[2] or "make", shlex.split(found[3] or found[4] or "", comments=True)
                yield Command(code, tool, arguments, _number(comment[1]) if comment else stated)
        statement = STATED.search(words)
        if kind == "heading" or statement:
            stated = _number(statement[1] or statement[2]) if statement else None


def _blocks(text):
    """Kind and words of each heading, paragraph and line of code; lines that end with a backslash are joined with the next."""
    fenced, paragraph = False, []
    for line in [*re.sub(r"\\\n *", "", text).splitlines(), ""]:
        is_fence, is_heading = line.startswith("```"), line.startswith("#") and not fenced
        is_code = not is_fence and (fenced or line.startswith("    "))
        if paragraph and (is_fence or is_code or is_heading or not line):
            yield "paragraph", " ".join(paragraph)
            paragraph = []
        fenced ^= is_fence
        if is_code or is_heading:
            yield "code" if is_code else "heading", line.strip()
        elif line and not is_fence:
            paragraph.append(line.strip())


def _number(word):
    return NUMBERS.get(word) or (int(word) if word.isdigit() else None)


def module_of(tool):
    """The module that tools/TOOL.py runs."""
    return importlib.import_module("benchmark.command" if tool == "benchmark" else f"inflate_shrink.commands.{tool}")


class Parsed(Exception):
    """In place of what a tool does with its arguments."""


@pytest.fixture
def parse(monkeypatch):
    """A function: a command's arguments as its tool reads them. Fails for those that it refuses."""
    original = argparse.ArgumentParser.parse_args

    def parse_args(parser, *given):
        raise Parsed(original(parser, *given))

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_args)
    monkeypatch.chdir(ROOT)

    def parse(command):
        try:
            module_of(command.tool).main(command.arguments)
        except Parsed as parsed:
            return parsed.args[0]
        except SystemExit:
            pytest.fail(f"its tool refuses it: {command.text}")

    return parse


def wrong_commands(text, parse, made=()):
    """What is wrong with a page's commands, a line each. made: names of models in runs/demo that are there before it."""
    wrong, made = [], set(made)
    for command in printed_commands(text):
        if command.tool == "make":
            continue
        arguments = vars(parse(command))
        config = None
        if command.tool == "pipeline":
            read_pipeline(ROOT / arguments["config"])
        if command.tool in ("train", "distill", "eval") and arguments["config"]:
            try:
                config = load_config(arguments["config"], arguments["override"])
            except InputError as error:
                wrong.append(f"{command.text}: {error}")
                continue
        if config and command.tool != "eval":
            if command.epochs not in (None, config.optim.epochs):
                wrong.append(f"{command.text}: the page says {command.epochs} epochs, it trains {config.optim.epochs}")
            made.add(config.run.dir)
        read = [
            value
            for key, value in arguments.items()
            if isinstance(value, str) and key not in ("out", "config", "debug")
        ]
        wrong += [
            f"{command.text}: nothing makes {value}"
            for value in read
            if re.fullmatch(r"runs/demo/[^/]+", value) and value not in made
        ]
    return wrong


@pytest.fixture(scope="module")
def made_by_demo():
    steps = read_pipeline(ROOT / "configs" / "pipelines.yaml:table2").steps
    return {f"runs/demo/{name}" for name in steps}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_of_a_page(page, parse, made_by_demo):
    assert not wrong_commands(page.read_text(encoding="utf-8"), parse, made_by_demo)


def test_commands_of_a_model_card(parse):
    from inflate_shrink.engine.checkpoint import Checkpoint
    from inflate_shrink.report.card import card

    checkpoint = Checkpoint(Path("hub/B"), Config(), {"step": 1, "vocab_size": 9, "region_dim": 4})
    text = card(checkpoint, "hub/B", "mit", [], None)
    assert [command.tool for command in printed_commands(text)] == ["index", "search"]
    assert wrong_commands(text, parse) == []


@pytest.mark.parametrize("tool", sorted(path.stem for path in (ROOT / "tools").glob("*.py")))
def test_examples_of_help(tool, parse):
    text = module_of(tool).__doc__
    examples = list(printed_commands(re.sub(r"^  (?=\S)", "    ", text, flags=re.MULTILINE)))
    assert {tool} <= {example.tool for example in examples}
    for example in examples:
        assert example.tool == "make" or parse(example)


def test_make_targets_are_there():
    targets = set(re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split())
    printed = {
        word
        for page in PAGES
        for command in printed_commands(page.read_text(encoding="utf-8"))
        if command.tool == "make"
        for word in command.arguments
    }
    assert {"demo", "test"} <= printed and printed <= targets


def test_what_the_commands_write_is_ignored_by_git(parse):
    if not (ROOT / ".git").exists():
        pytest.skip("no clone")
    written = set()
    for page in PAGES:
        for command in printed_commands(page.read_text(encoding="utf-8")):
            arguments = {} if command.tool == "make" else vars(parse(command))
            names = [arguments.get(name) for name in ("out", "json", "markdown", "to")]
            written |= {str(name) for name in names if name and not str(name).startswith(("http", "docs/results"))}
    written |= {f"{name}.png" for name in written & {"attention", "match"}}  # tools/visualize.py adds the ending
    ignored = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin"],
        input="\n".join(written),
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert {name for name in written if "/" in name or "." in name} == set(ignored.stdout.split())


def test_what_is_read():
    page = """
# A page, with `make demo` and `make demo`s
    chrt -f 20 python tools/train.py -c a.yaml \\
        -o optim.epochs=3   # 3 epochs
Code may break: `python tools/eval.py
--checkpoint a b`. No commands: `tools/eval.py --split`, python tools/train.py, `python tools/prepare_data.py ... --out c`, `python tools/NAME.py`.
```
inflate-shrink eval
```
At equal
training (two epochs, seed 0):

    python tools/train.py -c b.yaml
    python tools/train.py -c c.yaml     # one epoch

## The next
    python tools/train.py -c d.yaml
Four epochs a step, four epochs and more a day.
    python tools/train.py -c e.yaml
"""
    found = [
        (command.tool, " ".join(command.arguments), command.epochs)
        for command in printed_commands(page.replace("Four", "four"))
    ]
    assert found == [
        ("make", "demo", None), ("make", "demo", None), ("train", "-c a.yaml -o optim.epochs=3", 3), ("eval", "--checkpoint a b", None),
        ("eval", "", None), ("train", "-c b.yaml", 2), ("train", "-c c.yaml", 1), ("train", "-c d.yaml", None), ("train", "-c e.yaml", 4),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "page, says",
    [
        (
            "At equal training (three epochs):\n\n    python tools/train.py -c configs/demo/B.yaml\n",
            "says 3 epochs, it trains 1",
        ),
        (
            "    python tools/train.py -c configs/demo/B.yaml -o optim.epochs=2     # 3 epochs\n",
            "says 3 epochs, it trains 2",
        ),
        ("    python tools/train.py -c configs/demo/B.yaml -o optim.epoch=2\n", "optim.epoch"),
        ("    python tools/train.py -c configs/demo/none.yaml\n", "no such config"),
        (
            "    python tools/eval.py --checkpoint runs/demo/C\n    python tools/train.py -c configs/demo/C.yaml\n",
            "nothing makes runs/demo/C",
        ),
        ("    python tools/train.py -c configs/demo/C.yaml\n    python tools/eval.py --checkpoint runs/demo/C\n", None),
    ],
)
def test_what_is_found(page, says, parse):
    found = wrong_commands(page, parse)
    assert found == [] if says is None else len(found) == 1 and says in found[0]


@pytest.mark.parametrize("arguments", ["--no-such-option", "build", "info"])
def test_refused_arguments(arguments, parse, capsys):
    with pytest.raises(pytest.fail.Exception, match="refuses"):
        wrong_commands(f"    python tools/index.py {arguments}\n", parse)


def test_the_readmes_query_is_a_caption_of_the_demo():
    query = re.search(r'search\.py --index indexes/demo "(.*)"', (ROOT / "README.md").read_text(encoding="utf-8"))[1]
    drawn = [draw_scene("test", index, 0, DemoSpec()) for index in range(DemoSpec.test)]
    ((caption, scene),) = [
        (caption, scene) for scene, captions, _ in drawn for caption in captions if caption.text == f"{query}."
    ]
    assert caption.holds(scene)
