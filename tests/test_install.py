"""The environment is the pinned one, and the installer picks the right Paddle for a machine."""

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CHOOSE = ROOT / "tools" / "choose_paddle.sh"


def installed(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def paddle():
    """The installed distribution of Paddle, as (name, version)."""
    found = [(n, installed(n)) for n in ("paddlepaddle", "paddlepaddle-gpu") if installed(n)]
    assert len(found) == 1, f"exactly one build of Paddle has to be installed: {found}"
    return found[0]


@pytest.fixture(scope="module")
def pins(paddle):
    lines = (ROOT / "constraints" / f"paddle-{paddle[1]}.txt").read_text(encoding="utf-8").splitlines()
    pinned = [
        re.fullmatch(r"([\w.-]+)==([^\s;]+)", line.strip()) for line in lines if line.strip()[:1] not in ("", "#")
    ]
    assert all(pinned), "every line of a constraints file is an exact pin"
    return {canonical(m[1]): m[2] for m in pinned}


def test_paddle_is_pinned(paddle, pins):
    assert pins[paddle[0]] == paddle[1]


@pytest.mark.parametrize("name", ["paddlenlp", "numpy", "aistudio-sdk", "huggingface_hub", "datasets"])
def test_installed_version_is_the_pinned_one(name, pins):
    assert installed(name) == pins[canonical(name)]


@pytest.mark.slow
def test_tokenizer_can_be_imported():
    # In a process of its own, where pytest has not imported anything beforehand.
    code = (
        "import inflate_shrink.model; from paddlenlp.transformers import BertTokenizer; print(BertTokenizer.__name__)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split()[-1] == "BertTokenizer"


def choose(tmp_path, nvidia_smi):
    """Runs the script with ``nvidia_smi`` (a shell script, or None) as the only program on PATH."""
    if nvidia_smi is not None:
        fake = tmp_path / "nvidia-smi"
        fake.write_text("#!/bin/sh\n" + nvidia_smi)
        fake.chmod(0o755)
    env = {**os.environ, "PATH": str(tmp_path)}
    run = subprocess.run(["/bin/sh", str(CHOOSE)], env=env, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0
    assert len(run.stderr.splitlines()) == 1, run.stderr
    return run.stdout, run.stderr


# Answers only the query that the script is meant to make.
QUERY = '[ "$*" = "--query-gpu=compute_cap --format=csv,noheader" ] || exit 2\n'


@pytest.mark.parametrize(
    "capabilities, build, reason",
    [
        (["7.0"], "gpu", "7.0"),
        (["8.6"], "gpu", "8.6"),
        (["7.0", "8.6"], "gpu", "8.6"),
        (["9.0"], "cpu", "9.0"),
        (["8.0", "9.0"], "cpu", "9.0"),
        (["10.0"], "cpu", "10.0"),
        (["[N/A]"], "cpu", "[N/A]"),
        ([], "cpu", "no GPU"),
    ],
)
def test_build_for_compute_capabilities(tmp_path, capabilities, build, reason):
    lines = "".join(f"echo '{c}'\n" for c in capabilities)
    stdout, stderr = choose(tmp_path, QUERY + lines)
    assert stdout == build + "\n"
    assert reason in stderr


def test_build_when_nvidia_smi_fails(tmp_path):
    stdout, stderr = choose(tmp_path, "echo 8.0; exit 9\n")
    assert stdout == "cpu\n"
    assert "cannot tell" in stderr


def test_build_without_nvidia_smi(tmp_path):
    stdout, stderr = choose(tmp_path, None)
    assert stdout == "cpu\n"
    assert "no nvidia-smi" in stderr
