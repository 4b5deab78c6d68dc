"""The demo: its steps as calls of the tools, and the table at its end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

from tqdm import tqdm

from ..config import load_config
from ..data.store import open_store
from ..errors import InputError
from ..published import published_table
from .checkpoint import open_checkpoint
from .encode import encode_images
from .evaluate import evaluate
from .latency import query_latency
from .training_data import tokenize_split

_STEP = re.compile(r"step (\d+)/(\d+): loss")


def run_steps(config_files: list[str]) -> None:
    """Train or distil each config, two at a time; a config must come after those it starts from.

    A small model does not keep two cores busy, two of them on one core each do. Finished
    runs are left as they are and interrupted ones resumed.

    Raises InputError if a step fails; the step has then printed why.
    """
    cores = len(os.sched_getaffinity(0))
    lanes = min(2, cores)
    environment = {**os.environ, "MKL_NUM_THREADS": str(cores // lanes)}
    progress = _Overall(len(config_files))
    runs: dict[str, Future] = {}
    try:
        with ThreadPoolExecutor(lanes) as pool:
            for file in config_files:
                config = load_config(file)
                needed = [runs[source] for source in (config.distill.teacher, config.model.init) if source in runs]
                runs[config.run.dir] = pool.submit(_run_step, file, bool(config.distill.teacher), needed, environment, progress)
        for run in runs.values():
            run.result()
    finally:
        progress.close()


def _run_step(file: str, distilled: bool, needed: list[Future], environment: dict, progress: "_Overall") -> None:
    for run in needed:
        run.result()  # raises if it failed, and then this step is not started
    command = [f"tools/{'distill' if distilled else 'train'}.py", "-c", file, "--resume"]
    progress.log(f"$ python {' '.join(command)}")
    process = subprocess.Popen([sys.executable, *command], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in process.stdout:
        progress.follow(file, line.rstrip())
    if process.wait():
        raise InputError(f"{file}: this step of the demo failed (see above); make demo goes on from there")
    progress.finish(file)


class _Overall:
    """One bar for all steps, fed by the lines that each of them logs, which are shown too."""

    def __init__(self, steps: int):
        self.done, self.lock = {}, Lock()
        self.bar = tqdm(total=float(steps), desc="demo", disable=None, bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}, ETA {remaining}")

    def log(self, line: str) -> None:
        with self.lock:
            tqdm.write(line, file=sys.stdout)
            sys.stdout.flush()

    def follow(self, file: str, line: str) -> None:
        self.log(f"{os.path.basename(file)}: {line}")
        match = _STEP.search(line)
        if match:
            self._set(file, int(match[1]) / int(match[2]))

    def finish(self, file: str) -> None:
        self._set(file, 1.0)

    def close(self) -> None:
        self.bar.close()

    def _set(self, file: str, share: float) -> None:
        with self.lock:
            self.bar.update(share - self.done.get(file, 0.0))
            self.done[file] = share


def measure(config_file: str) -> dict:
    """Recalls and latency of a finished run on its test split, as in results.json."""
    config = load_config(config_file)
    checkpoint = open_checkpoint(config.run.dir)
    model, store = checkpoint.load_model(), open_store(config.data.dir)
    test = tokenize_split(store, config.data.test_split, checkpoint.tokenizer())
    result = evaluate(model, store, test)
    image = encode_images(model, store, test.split.image_rows)
    encode_ms, score_ms = query_latency(model, test.ids, image)
    sides = {side: {key: round(result[side][key], 2) for key in ("r1", "r5", "r10")} for side in ("t2i", "i2t")}
    return {
        "model": config.name,
        "codes": config.model.codes,
        "fragments": image.vectors.shape[1],
        **sides,
        "encode_ms": round(encode_ms, 3),
        "score_ms": round(score_ms, 3),
        "images": result["images"],
        "captions": result["captions"],
    }


def format_table(results: list[dict]) -> str:
    """The results as text, each row beside the paper's Table 2 for the same model."""
    paper = published_table("table2")
    lines = [
        f"{'':36}{'demo data, measured here':^33}  {'ms per query':^14}  {'paper, Flickr30K':^33}",
        f"{'model':<7}{'codes':>5} {'fragments':>9} {'interactions':>12}  {'t2i R@1/5/10':>15} {'i2t R@1/5/10':>17}"
        f"  {'encode':>6} {'score':>7}  {'t2i R@1/5/10':>15} {'i2t R@1/5/10':>17}",
    ]
    for row in results:
        ours = [_recalls(list(row[side].values())) for side in ("t2i", "i2t")]
        theirs = [_recalls(paper[row["model"]]["flickr30k"][side]) for side in ("t2i", "i2t")]
        interactions = f"{row['fragments']} x {row['fragments']}"
        lines.append(
            f"{row['model']:<7}{row['codes']:>5} {row['fragments']:>9} {interactions:>12}  {ours[0]:>15} {ours[1]:>17}"
            f"  {row['encode_ms']:>6.2f} {row['score_ms']:>7.3f}  {theirs[0]:>15} {theirs[1]:>17}"
        )
    lines.append(
        f"{results[0]['images']} test images, {results[0]['captions']} captions; a query is one caption, scored against all images. The paper's"
        "\nmodels saw other, real data: compare the steps from row to row, not the numbers."
    )
    return "\n".join(lines)


def _recalls(values: list[float]) -> str:
    return "/".join(f"{value:.1f}" for value in values)
