"""What holds of a run's directory before Paddle is imported."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError


def refuse_second_run(run_dir: Path, resume: bool) -> None:
    """Raise InputError if ``run_dir`` holds checkpoints of a run that is not to be resumed."""
    if (run_dir / "last").is_symlink() and not resume:
        raise InputError(f"{run_dir} already holds a run: --resume goes on with it, -o run.dir=... starts another")
