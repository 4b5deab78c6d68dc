"""What ``import inflate_shrink`` offers, and what it leaves alone; the examples of docstrings."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import inflate_shrink as ins

PACKAGE = Path(ins.__file__).parent
LOSSES, SCORES = (
    ("ranking", "distillation", "matching"),
    ("blocks", "by_kernel", "late_interaction", "fragments", "visual_sparta", "scan"),
)
PURE = (
    *("formatting", "metrics", "scoring"),
    *(f"losses.{name}" for name in LOSSES),
    *(f"scoring.{name}" for name in SCORES),
)


@pytest.mark.parametrize("name", ins.__all__)
def test_a_name_is_imported_at_its_first_use_and_known_to_type_checkers(name):
    assert getattr(ins, name).__name__ == name and name in dir(ins)
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node.body for node in tree.body if isinstance(node, ast.If)]
    known = {alias.name: node.module for node in block for alias in node.names}
    assert getattr(ins, name) is getattr(importlib.import_module(f"inflate_shrink.{known[name]}"), name) and set(
        known
    ) == set(ins.__all__)


def test_a_name_that_is_none():
    with pytest.raises(AttributeError, match="'inflate_shrink' has no attribute 'load'"):
        ins.load


ROOMS = [path.parent.name for path in sorted(PACKAGE.glob("*/__init__.py")) if "lazy_names" in path.read_text("utf-8")]


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_of_a_room_are_there_and_hide_no_module(room):
    module = importlib.import_module(f"inflate_shrink.{room}")
    modules = {path.stem for path in (PACKAGE / room).iterdir()}
    assert module.__all__ and not modules & set(module.__all__)
    for name in module.__all__:
        getattr(module, name)


def test_importing_it_or_the_kernel_changes_nothing_in_the_process():
    code = """
import os, sys, warnings, numpy
before = dict(os.environ), list(warnings.filters), len(sys.meta_path)
import inflate_shrink.kernel
inflate_shrink.__version__, inflate_shrink.InputError, dir(inflate_shrink)
assert before == (dict(os.environ), list(warnings.filters), len(sys.meta_path))
assert "paddle" not in sys.modules and "inflate_shrink.cpu" not in sys.modules
inflate_shrink.open_store
assert "paddle" not in sys.modules and before[0] == dict(os.environ)
"""
    subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, check=True)


def test_paddle_is_imported_only_where_it_was_prepared_for():
    """Each subpackage that imports Paddle, or predictor, which does, prepares for it before anything in it is imported."""
    users = [
        path.relative_to(PACKAGE)
        for path in PACKAGE.rglob("*.py")
        if re.search(r"^ *(import paddle|from (\.*predictor|paddle))", path.read_text(encoding="utf-8"), re.M)
    ]
    rooms = {path.parts[0] for path in users} - {"predictor.py"}
    assert {"engine", "model", "search"} <= rooms and not {"kernel", "data", "config", "metrics.py"} & rooms
    for room in rooms:
        statements = ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8")).body
        imports = [
            node
            for node in statements
            if isinstance(node, (ast.Import, ast.ImportFrom)) and node.module != "__future__"
        ]
        called = next(
            node.lineno
            for node in statements
            if isinstance(node, ast.Expr) and ast.unparse(node) == "prepare_for_paddle()"
        )
        light = {"functools", "typing", "cpu", "config", "lazy"}
        assert {node.module for node in imports if node.lineno < called} <= light, room


@pytest.mark.parametrize("name", PURE)
def test_every_pure_function_has_an_example_that_holds(examples, name):
    module = importlib.import_module(f"inflate_shrink.{name}")
    functions = [
        what for what in vars(module).values() if inspect.isfunction(what) and what.__module__ == module.__name__
    ]
    assert functions
    assert [what.__name__ for what in functions if what.__name__[0] != "_" and ">>>" not in (what.__doc__ or "")] == []
    failed, run = examples(module)
    assert run and not failed


def test_modules_of_losses_and_scores_are_all_among_the_pure_ones():
    rooms = ("losses", "scoring")
    assert {name for name in PURE if "." in name} == {
        f"{room}.{path.stem}" for room in rooms for path in (PACKAGE / room).glob("[!_]*.py")
    }


def test_examples_of_the_face(examples, trained, tiny_data):
    assert [name for name in ins.__all__ if ">>>" not in getattr(ins, name).__doc__] == []
    store, elsewhere = ins.open_store(tiny_data), {ins.Searcher, ins.Fragments, ins.late_interaction}
    for what in {getattr(ins, name) for name in ins.__all__} - elsewhere:
        failed, run = examples(what, RUN=trained(), DATA=tiny_data, STORE=store)
        assert run and not failed


def test_a_loaded_model_scores_as_the_evaluation_does(trained, tiny_data):
    from inflate_shrink.data.tokenized import tokenize_split
    from inflate_shrink.engine.encode import encode_images, encode_texts

    model, store = ins.load_model(trained()), ins.open_store(tiny_data)
    split = store.split("test")
    found = model.score(model.encode_texts(split.captions), model.encode_images(*store.read_regions(split.image_rows)))
    ids = tokenize_split(store, "test", model.checkpoint.tokenizer()).ids
    texts, images = encode_texts(model.network, ids), encode_images(model.network, store, split.image_rows)
    np.testing.assert_array_equal(found.numpy(), ins.late_interaction(texts, images).numpy())


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda model, regions, counts: model.encode_texts([]), "nothing to encode; give one text"),
        (lambda model, regions, counts: model.encode_texts(["a dog", " "]), "text 1 is empty"),
        (
            lambda model, regions, counts: model.encode_images(regions[0], counts),
            r"shapes \(3\d, \d+\) and \(2,\), expected \(n, m, \d+\) and \(n,\)",
        ),
        (lambda model, regions, counts: model.encode_images(regions, counts[:1]), "expected"),
        (
            lambda model, regions, counts: model.encode_images(regions, counts * 0),
            "counts must be from 1 to 3., found 0 to 0",
        ),
    ],
)
def test_what_cannot_be_encoded_is_one_line(trained, tiny_data, call, message):
    with pytest.raises(ins.InputError, match=message):
        call(ins.load_model(trained()), *ins.open_store(tiny_data).read_regions([0, 1]))


def test_a_cross_bert_has_no_fragments(trained):
    with pytest.raises(ins.InputError, match="a cross-BERT scores pairs and has no fragments"):
        ins.load_model(trained("model.scoring=cross"))
