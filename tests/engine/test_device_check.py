"""tools/check_gpu.py on the CPU, alone and as an emulated GPU: rows, differences, the page, and cases that fail."""

import re
from dataclasses import replace

import numpy as np
import pytest
from half_on_cpu import emulate_gpu

from inflate_shrink.commands import check_gpu
from inflate_shrink.commands.check_gpu import SMALL, main
from inflate_shrink.engine import device_check
from inflate_shrink.engine.device_check import PRECISIONS, CheckSettings, check_training
from inflate_shrink.errors import InputError
from inflate_shrink.search.device import check

TINY = CheckSettings(updates=2, **SMALL, cases=("I-B",))


def test_every_precision_of_an_emulated_gpu_is_near_the_cpu(tmp_path, monkeypatch):
    emulate_gpu(monkeypatch, (8, 0))
    monkeypatch.setattr(device_check.paddle, "set_device", lambda device: None)
    rows = list(check_training(TINY, "gpu", tmp_path))
    assert [(row.level, row.dtype) for row in rows] == [(amp.level, amp.dtype) for amp in PRECISIONS]
    for row in rows:
        exact = row.level == "O0"
        assert row.problem == "" and row.differing == () and row.pairs_per_second > 0, row
        assert (row.loss == row.gradient == row.moved == 0) if exact else 0 < row.gradient < 0.3, row
        assert exact or 0 < row.moved < 2


def test_the_cpu_has_no_half_precision_and_the_page_says_so(tmp_path, capsys, monkeypatch):
    out = tmp_path / "page.md"
    monkeypatch.setattr(check, "SHAPES", {"odd": check.SHAPES["odd, d = 33"]})
    with pytest.raises(InputError, match=f"4 of 5 trainings failed, see {out}"):
        main(["--device", "cpu", "--small", "--updates", "1", "--cases", "F", "--out", str(out)])
    page, said = out.read_text(), capsys.readouterr().out
    assert re.search(r"\| F \| O0 \| [\d,.]+ \| [\d.]+ \|  \| 0.0e\+00 \| 0.0e\+00 \| 0.0e\+00 \| yes \| ok \|", page)
    assert page.count("FAILED: amp O1 float16 needs a GPU: training in float32 |") == 1
    assert page.count("FAILED: amp O2 bfloat16 needs a GPU, and Paddle finds none") == 1
    assert "## Search" in page and "| int8 | float32" in page and "Paddle" in page
    assert all(line in said for line in page.splitlines() if line.startswith("| F"))


def test_a_case_that_fails_is_written_down_and_the_others_go_on(tmp_path, monkeypatch):
    train = device_check._train

    def breaking(case, amp, *others):
        if (case, amp.level) == ("B", "O0"):
            raise RuntimeError("(External) CUDA error 700\nat somewhere")
        found = train(case, amp, *others)
        return found._replace(losses=found.losses * np.nan if amp.level == "O1" else found.losses)

    emulate_gpu(monkeypatch, (8, 0))
    monkeypatch.setattr(device_check.paddle, "set_device", lambda device: None)
    monkeypatch.setattr(device_check, "_train", breaking)
    monkeypatch.setattr(device_check, "PRECISIONS", PRECISIONS[:2])
    rows = list(check_training(replace(TINY, cases=("B", "F")), "gpu", tmp_path))
    assert [(row.case, row.problem.partition(":")[0]) for row in rows] == [
        ("B", "on the CPU"), ("F", ""), ("F", "differs from float32 on the CPU"),
    ]  # fmt: skip
    assert rows[0].problem == "on the CPU: RuntimeError: (External) CUDA error 700 at somewhere"


def test_without_a_gpu_it_is_one_line(tmp_path):
    with pytest.raises(InputError, match="^no GPU here, or a Paddle without CUDA: nothing was checked; --device cpu"):
        main(["--out", str(tmp_path / "page.md")])
    with pytest.raises(InputError, match="--updates 0: give 1 or more"):
        main(["--device", "cpu", "--updates", "0"])
    assert not list(tmp_path.iterdir())


def test_a_search_that_breaks_does_not_cost_the_page(monkeypatch):
    monkeypatch.setattr(check, "main", lambda argv: 1 / 0)
    assert check_gpu._check_search("cpu", True) == ("\nFAILED: ZeroDivisionError: division by zero", True)
