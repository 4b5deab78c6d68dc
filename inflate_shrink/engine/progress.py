"""What a long run tells its user: a bar on a terminal, lines in a log and a status for other programs."""

from __future__ import annotations

import json
import resource
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import paddle
from tqdm import tqdm

from ..atomic import write_json
from ..errors import InputError
from ..terminal import printable
from .pace import Pace
from .scalars import Scalars

STATUS = "status.json"
_OLD_SECONDS = "seconds"  # where earlier versions kept the seconds, as text


class Status(NamedTuple):
    """How far a run is: RUN/status.json, which other programs read."""

    step: int  # updates that are done
    steps: int  # updates of the whole run
    seconds: float  # the time of training, all attempts together


def read_status(run_dir: Path) -> Status | None:
    """Read how far a run is; None if it does not say. Of a run of an earlier version the seconds alone are known."""
    try:
        values = json.loads((run_dir / STATUS).read_text(encoding="utf-8"))
        return Status(int(values["step"]), int(values["steps"]), float(values["seconds"]))
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        pass
    try:
        return Status(0, 0, float((run_dir / _OLD_SECONDS).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


class Progress:
    """A bar with ETA on a terminal; lines in ``log_file`` and on standard output; a status and scalars beside them."""

    def __init__(self, log_file: Path, log_steps: int, visualdl: bool = False):
        self.log_file, self.log_steps, self.bar = log_file, log_steps, None
        self.scalars = Scalars(log_file.parent, visualdl)
        self.opened = time.monotonic()

    def log(self, line: str) -> None:
        """Write a line to standard output and to the log; raises InputError if the log cannot be written."""
        tqdm.write(printable(line), file=sys.stdout)
        sys.stdout.flush()
        self._append(line)

    def _append(self, line: str) -> None:
        try:
            self.log_file.parent.mkdir(parents=True, exist_ok=True)
            with open(self.log_file, "a", encoding="utf-8") as file:
                file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {printable(line)}\n")
        except OSError as error:
            way = "make room or choose another run.dir"
            raise InputError(f"{self.log_file}: cannot be written: {error.strerror}; {way}") from None

    def start(self, total: int, done: int, pairs_per_update: int, validations: int = 0) -> None:
        """Show the bar: ``done`` of ``total`` updates are made, each of ``pairs_per_update`` pairs, and so many
        ``validations`` are left.
        """
        self.total, self.done, self.pairs_per_update = total, done, pairs_per_update
        form = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"  # tqdm's own ETA jumps
        self.bar = tqdm(total=total, initial=done, bar_format=form, disable=None, dynamic_ncols=True, leave=False)
        self.scalars.start(done)
        self.pace = Pace(validations)
        earlier = read_status(self.log_file.parent)
        self.earlier_seconds = earlier.seconds if earlier else 0.0

    def step(
        self,
        loss: paddle.Tensor,
        lr: float,
        epoch: int,
        skipped: int = 0,
        gradient_norm: paddle.Tensor | None = None,
        loss_scale: float | None = None,
    ) -> None:
        """Count one update; every ``log_steps`` log its loss, and how many updates of the run changed nothing."""
        self.done += 1
        self.pace.update()
        self.bar.update()
        if self.done % self.log_steps and self.done != self.total:
            return
        self._write_status()
        loss = float(loss)  # waits for the device: before the clock is read
        pairs_per_second = self.pairs_per_update / self.pace.lap()
        norm = None if gradient_norm is None else float(gradient_norm)
        measured = dict(loss=loss, lr=lr, pairs_per_second=round(pairs_per_second, 1), peak_mib=_peak_mib())
        self.scalars.write(self.done, epoch + 1, **measured, gradient_norm=norm, loss_scale=loss_scale, skipped=skipped)
        pace = f"loss {loss:.2f}, lr {lr:.2g}, {pairs_per_second:.0f} pairs/s"
        if skipped:
            pace += f", {skipped} updates skipped (float16 overflow)"
        pace += f", ETA {self.pace.eta(self.total - self.done)}"
        line = f"epoch {epoch + 1} update {self.done}/{self.total}: {pace}"
        if self.bar.disable:
            self.log(line)
        else:  # the bar shows the updates
            self.bar.set_postfix_str(pace)
            self._append(line)

    def validation(self):
        """Time a validation inside a ``with`` block."""
        return self.pace.validation()

    def validated(self, epochs: int, result: dict) -> None:
        """Keep the recalls after so many epochs: ``rsum`` and those of t2i and i2t, as :func:`.evaluate.evaluate`."""
        recalls = {f"{side}_{name}": value for side in ("t2i", "i2t") for name, value in result[side].items()}
        self.scalars.write(self.done, epochs, rsum=result["rsum"], **recalls)

    def close(self) -> None:
        """Close the bar and write how far the run is."""
        self.scalars.close()
        if self.bar is not None:
            self.bar.close()
            self._write_status()

    def _write_status(self) -> None:
        seconds = self.earlier_seconds + time.monotonic() - self.opened
        write_json(self.log_file.with_name(STATUS), Status(self.done, self.total, round(seconds, 1))._asdict())


class Silent(Progress):
    """What one of several processes tells that share a training: nothing, since the first one speaks for all."""

    def __init__(self):
        pass

    def log(self, line: str) -> None:
        """Keep a line for itself."""

    def start(self, *arguments, **named) -> None:
        """Show nothing."""

    def step(self, *arguments, **named) -> None:
        """Count nothing."""

    def validation(self):
        """Time nothing."""
        return nullcontext()

    def validated(self, epochs: int, result: dict) -> None:
        """Keep nothing."""

    def close(self) -> None:
        """Close nothing."""


def _peak_mib() -> int:
    """Return the most memory that this process has had: the GPU's, or else its resident set, in MiB."""
    if paddle.device.get_device().startswith("gpu"):
        return paddle.device.cuda.max_memory_allocated() >> 20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
