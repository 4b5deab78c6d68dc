"""Pipelines: graphs of training and distillation steps (Sec. 4.2, Table 9), planned and checked before any runs.

A pipeline is a YAML file:

    data: coco               a data set of configs/, or any other's file or folder
    steps: [I, I-B, I-B-F]   names of its rows, in any order
    include: [table2.yaml]   other pipelines whose steps (and reranks) come first
    rerank: [[B-F, C]]       pairs of steps (retriever, reranker) to be measured together

or holds several by name under ``pipelines``, which may include each other; FILE.yaml:NAME is one of them.

A step needs the steps whose run.dir its config names as distill.teacher or model.init (the
latter is added to the plan if it is a row). It runs in a directory named by a hash of
all that decides its weights: config, data, and the same of what it starts from. So a step that
two pipelines share runs once.
"""

from __future__ import annotations

import json
import reprlib
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Sequence

from ..config import (
    KEYS,
    WEIGHTS,
    Config,
    DataConfig,
    config_path,
    flatten,
    in_effect,
    is_name,
    is_row,
    keys_deciding,
    load_config,
    read_yaml,
    split_reference,
    student_config,
    to_dict,
)
from ..data.store import open_store
from ..digest import hex_digest
from ..engine.checkpoint import is_checkpoint, open_checkpoint
from ..engine.steps import check_shared, check_start
from ..errors import InputError, nearest
from .result import finished_result

KEY_DIGITS = 8
_KEYS = {"data": str, "steps": list, "include": list, "rerank": list}


class PipelineFile(NamedTuple):
    """A pipeline as its file says it, what it includes first."""

    data: str  # as :func:`data_file` takes it; "": not said
    steps: list[str]
    rerank: list[tuple[str, str]]


class Step(NamedTuple):
    """One training or distillation, or the measuring of two models together (``tool`` rerank)."""

    name: str
    tool: str  # train, distill or rerank
    config: Config  # its own, with directories as they will be
    needs: list[Path]  # directories of other steps
    directory: Path
    link: Path  # where a user looks for it
    # of its computations: more of them round otherwise, so the weights differ in their last digits
    threads: int = 1

    @property
    def label(self) -> str:
        """Return what lines of the log call it: its name, and its seed if that is not 0."""
        return self.name if not self.config.run.seed else f"{self.name}, seed {self.config.run.seed}"


class _Fingerprints:
    """What stands for each data set and its vocabulary in the keys of steps; ``dry``: also for one that is not
    there."""

    def __init__(self, dry: bool):
        self.dry, self.known = dry, {}

    def of(self, data: DataConfig) -> str:
        place = data.dir, data.vocab
        if place not in self.known:
            self.known[place] = "not there" if self.dry and not Path(data.dir).exists() else self._read(data)
        return self.known[place]

    @staticmethod
    def _read(data: DataConfig) -> str:
        store = open_store(data.dir)
        vocabulary = Path(data.vocab) if data.vocab else store.vocabulary
        if not vocabulary.is_file():
            raise InputError(f"{vocabulary}: no such vocabulary file; set data.vocab to a WordPiece vocab.txt")
        for split in (data.train_split, data.val_split, data.test_split):
            store.split(split)
        return store.fingerprint() + hex_digest([vocabulary], 64)


def read_pipeline(reference: str | Path, parents: tuple[tuple[Path, str], ...] = ()) -> PipelineFile:
    """Return the pipeline of a file, or one of those it holds (FILE.yaml:NAME), with those it includes.

    Raises InputError that names file and key.
    """
    path, name = split_reference(reference)
    if (path.resolve(), name) in parents:
        raise InputError(f"{reference}: include leads back to this pipeline; break the circle")
    values = read_yaml(path)
    named = values.pop("pipelines", {})
    named = {str(key): value for key, value in named.items()} if isinstance(named, dict) else named
    if named or name:
        values = {**values, **_named(path, name, named)}
    for key, value in values.items():
        if key not in _KEYS:
            raise InputError(f"{reference}: unknown key '{key}'; the keys of a pipeline are {', '.join(_KEYS)}")
        entries = value if isinstance(value, list) else []
        if not isinstance(value, _KEYS[key]) or not all(_is_entry(key, entry) for entry in entries):
            expected = {"data": "a data set of configs/", "rerank": "a list of pairs [retriever, reranker]"}
            raise InputError(
                f"{reference}: '{key}' must be {expected.get(key, 'a list of names')}, found {reprlib.repr(value)}"
            )
    steps, rerank, data = [], [], values.get("data", "")
    for other in values.get("include", []):
        file = f"{path}:{other}" if other in named else path.parent / other
        included = read_pipeline(file, (*parents, (path.resolve(), name)))
        steps, rerank, data = steps + included.steps, rerank + included.rerank, data or included.data
    steps += values.get("steps", [])
    rerank += [tuple(pair) for pair in values.get("rerank", [])]
    if not steps:
        raise InputError(f"{reference}: has no steps")
    return PipelineFile(data, list(dict.fromkeys(steps)), list(dict.fromkeys(rerank)))


def _named(path: Path, name: str, named) -> dict:
    """Return the values of one of the pipelines that a file holds by name."""
    if not isinstance(named, dict) or not all(isinstance(each, dict) for each in named.values()):
        raise InputError(f"{path}: 'pipelines' must be names and their pipelines, each a mapping of {', '.join(_KEYS)}")
    if name not in named:
        near = nearest(name, named, 0.6)
        problem = f"no pipeline '{name[:100]}' in it" if name else "holds several pipelines"
        meant = f"{path}:{near}" if near else f"{path}:NAME, one of {', '.join(named) or 'none'}"
        raise InputError(f"{path}: {problem}; give {meant}")
    return named[name]


def _is_entry(key: str, entry) -> bool:
    if key == "rerank":
        return isinstance(entry, list) and len(entry) == 2 and all(_is_entry("steps", name) for name in entry)
    return isinstance(entry, str) and entry != "" and is_name(entry) and (key == "include" or "/" not in entry)


def data_file(data: str) -> Path:
    """Return the file of a data set, which is a name in configs/, a file or a folder. Raises InputError if there is
    none."""
    path, configs = Path(data), config_path(Path("configs"))
    files = [configs / f"{data}.yaml", path, path / "base.yaml", Path(f"{path}.yaml")]
    found = is_name(data) and next((file for file in files if file.is_file()), path.is_dir() and path / "base.yaml")
    if not found:
        names = sorted(file.stem for file in configs.glob("*.yaml") if file.with_suffix("").is_dir())
        raise InputError(f"{data[:200]}: no such data set; {configs} has {', '.join(names)}")
    return found


def plan(
    pipeline: PipelineFile, runs: str | Path, overrides: Sequence[str] = (), seeds: Sequence[int] = (0,),
    threads: int = 1, dry: bool = False,
) -> list[Step]:  # fmt: skip
    """Return all steps of a pipeline, each after those that it needs.

    Args:
        runs: directory for the steps and the links to them.
        overrides: as of ``-o``, for every step.
        threads: of each step, however many run at once; another number is another run.
        dry: plan also where a data set's directory is not there; such a plan cannot be run.

    Raises InputError, before anything runs, if a config is wrong, a step that another needs is neither in the
    pipeline nor an existing checkpoint, steps need each other, or a student does not fit its teacher.
    """
    rows = data_file(pipeline.data)
    data = _Fingerprints(dry)
    steps = {}
    for seed in seeds:
        planned = _plan_seed(pipeline, rows, Path(runs), [*overrides, f"run.seed={seed}"], data, threads)
        steps.update({step.directory: step for step in planned})
    return list(steps.values())


def _plan_seed(pipeline, rows: Path, runs: Path, overrides, data: _Fingerprints, threads: int) -> list[Step]:
    configs = {name: _load(f"{rows}:{name}", overrides) for name in pipeline.steps}
    for config in list(configs.values()):  # a start such as B is added where it is a row
        start = Path(config.model.init).name
        if "/" in config.model.init and start not in configs and is_row(rows, start):
            added = _load(f"{rows}:{start}", overrides)
            if added.run.dir == config.model.init:
                configs[start] = added
    names = {config.run.dir: name for name, config in configs.items()}
    for name, config in configs.items():
        if names[config.run.dir] != name:
            other = names[config.run.dir]
            raise InputError(
                f"{rows}:{name}: its run.dir {config.run.dir} is that of step {other} too; give each its own"
            )
    steps: dict[str, Step] = {}
    for name in _in_order(configs, names):
        made = {directory: steps[other] for directory, other in names.items() if other in steps}
        steps[name] = _plan_step(name, configs[name], made, runs, data, threads)
    return [*steps.values(), *(_plan_rerank(pair, steps, runs) for pair in pipeline.rerank)]


def _load(row: str, overrides) -> Config:
    config = load_config(row, overrides)
    return in_effect(student_config(config) if config.distill.teacher else config)


def _in_order(configs: dict[str, Config], names: dict[str, str]) -> list[str]:
    """Order the steps, each after those it needs. Raises InputError for a circle or something that is missing."""
    order: list[str] = []
    visiting: list[str] = []

    def visit(name: str) -> None:
        if name in order:
            return
        if name in visiting:
            raise InputError(
                f"step {name}: needs itself ({' -> '.join([*visiting[visiting.index(name) :], name])}); "
                "break the circle"
            )
        visiting.append(name)
        for key, source in _sources(configs[name]):
            if source in names:
                visit(names[source])
            elif key == "distill.teacher" and not is_checkpoint(source):
                raise InputError(
                    f"step {name}: its {key} {source} is no step of the pipeline and no checkpoint; "
                    "add the step that makes it"
                )
            elif key == "model.init" and "/" in source and not Path(source).is_dir():
                raise InputError(
                    f"step {name}: its {key} {source} is no step of the pipeline and no directory; "
                    "add the step that makes it"
                )
        visiting.remove(name)
        order.append(name)

    for name in configs:
        visit(name)
    return order


def _sources(config: Config) -> list[tuple[str, str]]:
    found = (("distill.teacher", config.distill.teacher), ("model.init", config.model.init))
    return [(key, source) for key, source in found if source]


def _plan_step(name: str, config: Config, made: dict[str, Step], runs: Path, data: _Fingerprints, threads: int) -> Step:
    """Plan one step; ``made`` holds the steps before it by the run.dir of their configs."""
    needs, values = [], flatten(to_dict(config))
    deciding = ((key, KEYS[key]) for key in keys_deciding(WEIGHTS))
    content = {key: values[key] for key, each in deciding if not (each.young and values[key] == each.default)}
    content.update({"distill.teacher": config.distill.teacher, "model.init": config.model.init})
    for key, source in _sources(config):
        if source in made:
            _check_fit(name, key, config, made[source].config)
            needs.append(made[source].directory)
            content[key] = made[source].directory.name
        elif is_checkpoint(source):
            checkpoint = open_checkpoint(source)
            _check_fit(name, key, config, checkpoint.config)
            content[key] = checkpoint.fingerprint()
    content.update({"data": data.of(config.data), **({"threads": threads} if threads > 1 else {})})
    directory = runs / "steps" / f"{name}-{_digest(content)}"
    sources = config.distill.teacher, config.model.init
    teacher, init = (str(made[source].directory) if source in made else source for source in sources)
    config = replace(
        config,
        name=name,
        run=replace(config.run, dir=str(directory)),
        distill=replace(config.distill, teacher=teacher),
        model=replace(config.model, init=init),
    )
    link = runs / (config.data.name or "own") / _with_seed(name, config)
    return Step(name, "distill" if teacher else "train", config, needs, directory, link, threads)


def _plan_rerank(pair: tuple[str, str], steps: dict[str, Step], runs: Path) -> Step:
    for name in pair:
        if name not in steps:
            raise InputError(f"rerank {list(pair)}: {name} is no step of the pipeline; add it to steps")
    retriever, reranker = (steps[name] for name in pair)
    scores_pairs = reranker.config.model.scoring == "cross" or reranker.config.model.joint
    if retriever.config.model.scoring == "cross" or not scores_pairs:
        raise InputError(f"rerank {list(pair)}: expected a bi-encoder, then a cross-BERT or a joint model")
    name = pair[0] + "+" + pair[1]
    needs = list(dict.fromkeys([retriever.directory, reranker.directory]))
    directory = runs / "steps" / f"{name}-{_digest([need.name for need in needs])}"
    config = retriever.config
    link = runs / (config.data.name or "own") / _with_seed(name, config)
    return Step(name, "rerank", config, needs, directory, link, retriever.threads)


def _check_fit(name: str, key: str, config: Config, source: Config) -> None:
    """Refuse a student with more fragments than its teacher but for codes of its own, or with other sizes where it takes weights."""
    if key == "distill.teacher" and source.model.scoring != "cross":
        ours, theirs = (each.model.fragments_of(each.data.text_length) for each in (config, source))
        own_codes = config.model.codes and not config.distill.share_codes  # as many as it likes
        if ours > theirs and not own_codes:
            raise InputError(
                f"step {name}: scores {ours} fragments, its teacher {source.name} only {theirs}; "
                f"give it model.fragments of {theirs} or less"
            )
    if key == "model.init":
        check_start(config.model, source.model, f"step {name}: ", source.name)
    else:
        check_shared(config, source.model, f"step {name}: ", source.name)


def is_finished(step: Step) -> bool:
    """Say whether the step has a result, measured as its config now asks."""
    result = finished_result(step.directory)
    if result is None:
        return False
    measured, config = result["config"], step.config
    asked = {
        "data": {"test_split": config.data.test_split, "protocols": config.data.protocols},
        "run": {"test_images": config.run.test_images},
    }
    return all(
        measured[section].get(key) == value for section, values in asked.items() for key, value in values.items()
    )


def _digest(content) -> str:
    return hex_digest([json.dumps(content, sort_keys=True).encode()], KEY_DIGITS)


def _with_seed(name: str, config: Config) -> str:
    return name if not config.run.seed else f"{name}-seed{config.run.seed}"
