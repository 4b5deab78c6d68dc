"""The runs below a directory, those put together that differ in nothing but the seed."""

from __future__ import annotations

import json
import os
import statistics
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterable, NamedTuple

from ..config import NOTHING, PLACE, RESULT, config_from_dict, flatten, keys_deciding, to_dict
from ..errors import InputError
from ..pipeline.result import METRICS, RERANK
from ..pipeline.result import RESULT as RESULT_FILE
from .runs import Bench, Run, find_results, read_run

# Keys of the config that two seeds of one model may differ in; what lies at a place is compared apart from it.
_NEUTRAL = {"run.seed", *keys_deciding(PLACE, RESULT, NOTHING)}
# What else seeds of one model have in common; the images are those of a result of reranking.
_SAME = (
    "name",
    "data",
    "split",
    "codes",
    "fragments",
    "scoring",
    "regions",
    "text_length",
    "train_images",
    "images",
    "captions",
)


class Recalls(NamedTuple):
    """R@1, R@5, R@10 in percent: means over seeds, and sample deviations (None for one seed)."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...] | None


@dataclass
class Group:
    """Runs of one model that differ in nothing but the seed, at most one a seed, in the order of the seeds."""

    runs: list[Run]
    note: str = ""  # how the config differs from that of the first group of the same name

    @property
    def first(self) -> Run:
        """Return the run of the lowest seed."""
        return self.runs[0]

    def on(self, bench: Bench) -> Group | None:
        """Return the runs that were evaluated on ``bench``; None if there are none."""
        runs = [run for run in self.runs if bench in dict(run.benches())]
        return Group(runs, self.note) if runs else None

    def recalls(self, bench: Bench, side: str) -> Recalls:
        """Return the recalls on ``bench`` in one direction, ``side`` t2i or i2t; each run must have them."""
        return mean_recalls([dict(run.benches())[bench][side] for run in self.runs])

    @property
    def seeds(self) -> list[int]:
        """Return the seeds, ascending."""
        return [run.seed for run in self.runs]


@dataclass
class Collection:
    """All results below a directory."""

    groups: list[Group]
    left_out: list[str] = field(default_factory=list)  # a line each: damaged files, second runs of one seed

    def of(self, data: str) -> list[Group]:
        """Return the groups of one data set."""
        return [group for group in self.groups if group.first.data == data]

    @property
    def data_sets(self) -> list[str]:
        """Return the names of the data sets, sorted."""
        return sorted({group.first.data for group in self.groups})


def collect(root: Path) -> Collection:
    """Read every result below ``root`` and group them.

    Raises InputError if ``root`` is no directory or holds no result that can be read.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such directory of runs; tools/train.py makes one, or give --runs")
    runs, left_out = [], []
    for path in find_results(root):
        try:
            runs.append(read_run(path))
        except InputError as error:
            left_out.append(str(error))
    if not runs:
        found = f"; not read: {'; '.join(left_out)}" if left_out else ""
        raise InputError(
            f"{root}: no {RESULT_FILE} of a finished run in it or below{found}; train a model first, or give --runs"
        )
    groups, second = group_runs(runs)
    return Collection(groups, left_out + second)


def group_runs(runs: Iterable[Run]) -> tuple[list[Group], list[str]]:
    """Put runs into groups in the order of their names; return these and a line for each run that is not counted.

    Two runs are seeds of one model if nothing else in their configs differs (:func:`identity`).
    Of two runs of one seed the later counts.
    """
    runs = sorted(runs, key=lambda run: (run.data, run.name, run.seed, str(run.path)))
    identities, by_identity, left_out = identity(runs), {}, []
    for run in runs:
        seeds = by_identity.setdefault(identities[run.path], {})
        older = seeds.get(run.seed)
        if older and str(older.training.get("date")) > str(run.training.get("date")):
            run, older = older, run
        seeds[run.seed] = run
        if older:
            left_out.append(f"{older.path}: same config and seed as {run.path}, which counts")
    groups = [Group(list(seeds.values())) for seeds in by_identity.values()]
    groups.sort(
        key=lambda group: (
            group.first.data,
            group.first.name,
            group.first.recipe != "released",
            -len(group.runs),
            str(group.first.path),
        )
    )
    _note_differences(groups)
    return groups, left_out


def identity(runs: list[Run]) -> dict[Path, str]:
    """Describe as text what each run has in common with its other seeds.

    A teacher, or a run that the model starts from, counts by its own config and not by where
    it lies, as long as it is among ``runs``: each seed may have a teacher of its own.
    """
    by_directory = {_directory(run.config["run"].get("dir", "")): run for run in runs if run.scoring != RERANK}
    known: dict[Path, str] = {}

    def of_source(directory: str, asked: tuple[Path, ...]) -> str:
        source = by_directory.get(_directory(directory))
        return directory if not directory or source is None or source.path in asked else of(source, asked)

    def of(run: Run, asked: tuple[Path, ...] = ()) -> str:
        if run.path not in known:
            asked += (run.path,)
            config = run.config
            sources = [
                of_source(config[section].get(key, ""), asked)
                for section, key in (("distill", "teacher"), ("model", "init"))
            ]
            sources.append(of_source(run.values.get("reranker", ""), asked))
            same = [run.values.get(key) for key in _SAME]
            known[run.path] = json.dumps([same, settings(run), sources], sort_keys=True)
        return known[run.path]

    return {run.path: of(run) for run in runs}


def settings(run: Run) -> dict:
    """Return the config as ``section.key`` -> value, without what changes nothing of the result."""
    return {key: value for key, value in flatten(run.config).items() if key not in _NEUTRAL}


def mean_recalls(sides: list[dict]) -> Recalls:
    """Return the means and sample deviations over seeds of recalls of one direction, by their names in result.json."""
    columns = [[side[key] for side in sides] for key in METRICS]
    deviation = tuple(map(statistics.stdev, columns)) if len(sides) > 1 else None
    return Recalls(tuple(map(statistics.fmean, columns)), deviation)


def _note_differences(groups: list[Group]) -> None:
    """Say of each group after the first of its name what sets it apart."""
    first: dict[tuple, Group] = {}
    for group in groups:
        leader = first.setdefault((group.first.data, group.first.name), group)
        if leader is not group:
            group.note = _difference(leader.first, group.first)
    doubled = Counter((group.first.data, group.first.name, group.note) for group in groups)
    for group in groups:
        if doubled[group.first.data, group.first.name, group.note] > 1 and group.note:
            group.note += f", {group.first.path.parent}"


def _difference(leader: Run, run: Run) -> str:
    """Name the keys that differ, but for those that only follow from another recipe."""
    old, new = settings(leader), settings(run)
    changed = {key: new.get(key) for key in {**old, **new} if old.get(key) != new.get(key)}
    if "recipe" in changed:
        defaults = [_recipe_defaults(leader.recipe), _recipe_defaults(run.recipe)]
        explained = {
            key for key in changed if all(key in d and d[key] == v.get(key) for d, v in zip(defaults, (old, new)))
        }
        changed = {key: value for key, value in changed.items() if key not in explained}
        changed = {"recipe": run.recipe, **changed}
    for key in ("distill.teacher", "model.init"):
        values = [flatten(each.config).get(key) for each in (leader, run)]
        if values[0] != values[1]:
            changed[key] = values[1]
    changed = changed or {key: run.values.get(key) for key in _SAME if run.values.get(key) != leader.values.get(key)}
    shown = [f"{key} {value}" for key, value in changed.items()]
    return ", ".join(shown[:3] + [f"{len(shown) - 3} more"] * (len(shown) > 3)) or str(run.path.parent)


def _recipe_defaults(recipe: str) -> dict:
    try:
        return flatten(to_dict(config_from_dict({"recipe": recipe}, "recipe")))
    except InputError:  # the recipe is another version's
        return {}


def _directory(path: str) -> str:
    """Return the run directory that ``path``, or a checkpoint in it, belongs to."""
    path = os.path.normpath(path) if path else ""
    return os.path.dirname(path) if os.path.basename(path) in ("best", "last") else path
