"""A cascade on real embeddings: its speed, and how much of the exact result it finds, by the number of candidates.

The index holds the photos of a data set, the split's first, and collages of them as distractors; the queries are
captions of that split. What is timed is the search from the query's fragments to the ids of the best ten, without the
encoding.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Callable, NamedTuple

import numpy as np
import paddle
from tqdm import tqdm

from inflate_shrink.data.store import Store
from inflate_shrink.engine.checkpoint import Checkpoint
from inflate_shrink.engine.encode import image_batches
from inflate_shrink.errors import InputError
from inflate_shrink.kernel import StoredFragments, encode_rows, nearest_centroids, scores
from inflate_shrink.kernel.cascade import Budget
from inflate_shrink.kernel.compiled import thread_count
from inflate_shrink.search.build import CENTER_SAMPLE, BuildSettings, Models, create_empty
from inflate_shrink.search.centroids import SAMPLE, centroid_count
from inflate_shrink.search.fit_stage import IMAGES, RANK, rows_that_count, sample_queries
from inflate_shrink.search.index import IndexWriter, open_index
from inflate_shrink.search.ranking import best
from inflate_shrink.search.searcher import CENTROIDS, NEAREST, RECALL, VECTOR, Searcher
from inflate_shrink.search.stages import FITTED as STAGE
from inflate_shrink.search.stages import FRAGMENTS, StageFit, fit_stage_to, fitted_vectors, read_budgets, update_budgets

from ..environment import environment, workspace
from .cascade_settings import CascadeBenchmark
from .collages import collages
from .memory import memory_of_search

K = 10
FITTED = {8: "fitted", 4: "fitted-4-bits"}
FITTED_AT_ONCE = 4096  # images
MEMORY_QUERIES = 200
RESCORED = 50  # int8's best that are scored again in fp32


class Encoded(NamedTuple):
    """All images of the benchmark, fragments (R, d) float32 and lengths (N,) by each model; and sample queries (l, d)."""

    ids: list[str]
    exact: tuple[np.ndarray, np.ndarray]
    first: tuple[np.ndarray, np.ndarray] | None
    sample: list[np.ndarray]


def measure_cascade(
    amount: CascadeBenchmark,
    checkpoint: Checkpoint,
    first: Checkpoint | None,
    data_dir: str | Path,
    say: Callable[[str], None] = print,
) -> dict:
    """Build indexes in a temporary directory and measure both first stages.

    Args:
        checkpoint: of the exact model; first: of an F, or None.

    Returns:
        JSON values: the setting; ``exact``, of the index with centroids; ``stages``, for "centroids", "vector", and
        "fitted" in 8 and 4 bits, a row for each number of candidates; ``budgets``, for the latter a row for each recall
        that was measured; ``times``, of the parts of one of their queries; ``bytes``, an image; ``recall``, R@1 and
        R@10 of exact search of each stage's index, whose int8 rows are centred on another sample; ``precision``, how
        int8 agrees with fp32.
    """
    if amount.queries < 1 or amount.images < 0 or min(amount.candidates) < 1:
        raise InputError("queries and candidates must be 1 or more, and images 0 or more")
    store = checkpoint.open_data(data_dir)
    split = store.split(amount.split)
    images = amount.images or len(store.image_ids)
    if images < len(split.image_rows):
        raise InputError(
            f"--images must be {len(split.image_rows)} or more, "
            f"the images of {data_dir}'s split {amount.split}, or 0, found {images}"
        )
    others = np.setdiff1d(np.arange(len(store.image_ids)), split.image_rows)
    photos = np.concatenate([split.image_rows, others])[:images]
    chosen = np.random.default_rng(amount.seed).permutation(len(split.captions))[: amount.queries]
    relevant = [split.image_ids[split.caption_image[i]] for i in chosen]
    model = checkpoint.config.model
    result = {
        "environment": environment(),
        "model": checkpoint.origin(),
        "dim": model.hidden,
        "photos": len(photos),
        "data": str(data_dir),
        "split": amount.split,
        "images": images,
        "queries": len(chosen),
        "k": K,
        "seed": amount.seed,
        "threads": thread_count(amount.threads),
        "first": first.config.name if first else "",
        "stages": {},
        "recall": {},
    }
    encoded = _encode(checkpoint, first, store, photos, images - len(photos), amount.seed)
    return measure_encoded(
        result, amount, checkpoint, first, encoded, [split.captions[i] for i in chosen], relevant, say
    )


def measure_encoded(
    result: dict,
    amount: CascadeBenchmark,
    checkpoint: Checkpoint,
    first: Checkpoint | None,
    encoded: Encoded,
    captions: list[str],
    relevant: list[str],
    say: Callable[[str], None],
) -> dict:
    """Add to the setting what is measured, with captions as queries whose images are the relevant ones."""
    kinds = [
        ("centroids", None, 0),
        *([("vector", first, 0)] if first else []),
        (FITTED[8], None, 8),
        (FITTED[4], None, 4),
    ]
    with workspace() as directory:
        for stage, of_stage, bits in kinds:
            start = time.perf_counter()
            _build(directory / stage, Models(checkpoint, of_stage), encoded, amount, bits)
            seconds = time.perf_counter() - start
            searcher = Searcher(directory / stage, amount.threads)
            queries = [searcher.encode(caption) for caption in captions]
            timed, exact = _run(searcher, queries, relevant, "exact")
            result["recall"][stage] = {key: timed[key] for key in ("r1", "r10")}
            if "exact" not in result:
                result["exact"] = timed
                say(
                    f"exact: {result['exact']['ms']:.2f} ms a query of {len(searcher)} images, "
                    f"R@1 {result['exact']['r1']:.1f}"
                )
                result["precision"] = _int8_against_fp32(
                    encoded, [fragments for fragments, _ in queries], amount.threads
                )
                say(
                    "int8's best {k} are fp32's in {agreement:.4f} of places, "
                    "after rescoring {rescored} in {rescored_agreement:.4f}".format(**result["precision"])
                )
                result["memory"] = memory_of_search(
                    directory / stage, [fragments for fragments, _ in queries[:MEMORY_QUERIES]]
                )
            say(f"first stage by {stage}:")
            result["stages"][stage] = [
                _row(searcher, queries, relevant, exact, result["exact"]["ms"], candidates, say)
                for candidates in amount.candidates
            ]
            files = [file.size for segment in searcher.index.manifest.segments for file in segment.files.values()]
            result.setdefault("bytes", {})[stage] = sum(files) / len(searcher)
            if bits:
                budgets = read_budgets(searcher.index)
                result.setdefault("build", {})[stage] = {"seconds": seconds, "correlation": budgets.correlation}
                result.setdefault("budgets", {})[stage] = [
                    _row(searcher, queries, relevant, exact, result["exact"]["ms"], None, say, row)
                    for row in budgets.rows
                    if row.k == K
                ]
                result.setdefault("times", {})[stage] = _split(searcher, captions, queries)
    return result


def _encode(
    checkpoint: Checkpoint, first: Checkpoint | None, store: Store, photos: np.ndarray, made: int, seed: int
) -> Encoded:
    """Encode the ``photos``, rows of the store, and ``made`` collages."""
    ids = [store.image_ids[row] for row in photos] + [f"collage-{number}" for number in range(made)]

    def encoded(model):
        yield from map(rows_that_count, image_batches(model.encode_image, store, photos))
        for regions, counts in collages(store, made, seed):
            with paddle.no_grad():
                yield rows_that_count(model.encode_image(paddle.to_tensor(regions), paddle.to_tensor(counts)))

    def rows(model: Checkpoint) -> tuple[np.ndarray, np.ndarray]:
        label, parts = f"encode with {model.config.name}", []
        with tqdm(total=len(ids), desc=label, unit="image", disable=None, leave=False) as bar:
            for part in encoded(model.load_model()):
                parts.append(part)
                bar.update(len(part[1]))
        return tuple(map(np.concatenate, zip(*parts)))

    sample = sample_queries(checkpoint, store, photos, seed)
    return Encoded(ids, rows(checkpoint), rows(first) if first else None, sample)


def _build(directory: Path, models: Models, encoded: Encoded, amount: CascadeBenchmark, bits: int) -> None:
    vectors, lengths = encoded.exact
    centroids = amount.centroids if amount.centroids > 0 else centroid_count(len(vectors))
    settings = BuildSettings(centroids=0 if models.first or bits else centroids, seed=amount.seed, stage_bits=bits)
    sample = max(CENTER_SAMPLE, settings.centroids * SAMPLE)
    chosen = np.sort(np.random.default_rng(amount.seed).permutation(len(vectors))[:sample])
    samples = [vectors[chosen], *([encoded.first[0]] if models.first else [])]
    stage = _fit(encoded, amount.seed) if bits else None
    create_empty(directory, models, {"image_root": ""}, settings, samples, stage)
    fields = {FRAGMENTS: encoded.exact}
    if stage:
        kind = open_index(directory).settings.fields[FRAGMENTS]
        cuts = np.arange(0, len(lengths) + FITTED_AT_ONCE, FITTED_AT_ONCE).clip(max=len(lengths))
        rows = np.cumsum([0, *lengths])[cuts]
        fitted = [
            fitted_vectors(stage, kind, vectors[rows[i] : rows[i + 1]], lengths[cuts[i] : cuts[i + 1]])
            for i in range(len(cuts) - 1)
            if cuts[i] < cuts[i + 1]
        ]
        fields[STAGE] = np.concatenate(fitted), np.ones(len(lengths), np.int64)
    elif models.first:
        fields[VECTOR] = encoded.first
    else:
        fields[NEAREST] = nearest_centroids(vectors, np.load(directory / CENTROIDS)), lengths
    with IndexWriter(directory) as writer:
        writer.add(encoded.ids, [""] * len(encoded.ids), fields)
        writer.commit()
    if stage:
        update_budgets(directory)


def _fit(encoded: Encoded, seed: int) -> StageFit:
    """Fit a first stage to some of the images, as a build does."""
    vectors, lengths = encoded.exact
    starts = np.cumsum([0, *lengths])
    chosen = np.sort(np.random.default_rng(seed).permutation(len(lengths))[:IMAGES])
    rows = np.concatenate([vectors[starts[item] : starts[item + 1]] for item in chosen])
    return fit_stage_to(encoded.sample, rows, lengths[chosen], RANK, seed)


def _split(searcher: Searcher, captions: list[str], queries) -> dict:
    """Return the median milliseconds of the parts of a query with the default recall."""
    commit = searcher._commit
    budget = commit.budget(K, RECALL) or Budget(len(searcher))
    cascade, fragments = commit._cascade, [fragments for fragments, _ in queries]
    whole = _median(lambda query: searcher.search_fragments(query, k=K), fragments)
    kernel = _median(lambda query: cascade.search(query, K, budget), fragments)
    first = _median(lambda query: cascade.search(query, K, Budget(K)), fragments)
    encoding = _median(searcher.encode, captions)
    scored = float(np.mean([cascade.search(query, K, budget).counted[2] for query in fragments]))
    return {"encode": encoding, "first": first, "exact": kernel - first, "python": whole - kernel, "scored": scored}


def _median(call: Callable, arguments: list) -> float:
    times = []
    for argument in arguments:
        start = time.perf_counter()
        call(argument)
        times.append(1000 * (time.perf_counter() - start))
    return float(np.median(times))


def _int8_against_fp32(encoded: Encoded, queries: list[np.ndarray], threads: int) -> dict:
    """Count how many of fp32's best are int8's too: among its own best, and among its best RESCORED scored again in
    fp32."""
    vectors, lengths = encoded.exact
    offsets = np.cumsum([0, *lengths])
    centers = {"float32": None, "int8": vectors.mean(0)}
    rows = {
        name: StoredFragments(*encode_rows(vectors, name, center=center), offsets, name, vectors.shape[1], center)
        for name, center in centers.items()
    }
    wanted, direct, rescored = [], [], []
    for query in queries:
        of_each = {precision: scores([query], rows[precision], threads=threads)[0] for precision in rows}
        some = np.sort(best(of_each["int8"], RESCORED))
        wanted.append(best(of_each["float32"], K))
        direct.append(best(of_each["int8"], K))
        rescored.append(some[best(scores([query], rows["float32"], some, threads=threads)[0], K)])
    return {
        "k": K,
        "agreement": overlap(wanted, direct),
        "rescored": RESCORED,
        "rescored_agreement": overlap(wanted, rescored),
    }


def _row(
    searcher: Searcher, queries, relevant, exact, exact_ms: float, candidates: int | None, say, budget=None
) -> dict:
    """Measure a number of candidates, or what the index chooses for the recall of a budget."""
    recall = budget.recall if budget else None
    row, found = _run(searcher, queries, relevant, "cascade", candidates, recall)
    row = {"candidates": candidates, **row, "speedup": exact_ms / row["ms"], "agreement": overlap(exact, found)}
    if budget:
        row = {**row, "recall": recall, "candidates": budget.first, "scored": budget.scored}
        asked = f"recall {recall:g}: {budget.scored:.0f} scored"
    else:
        asked = f"{candidates:5d} candidates"
    say(
        f"  {asked}: "
        + "{ms:7.3f} ms, {speedup:5.1f} times faster, {agreement:.4f} of the exact ten, R@1 {r1:.1f}".format(**row)
    )
    return row


def _run(
    searcher: Searcher, queries, relevant, mode: str, candidates: int | None = None, recall: float | None = None
) -> tuple[dict, list[list[str]]]:
    """Return median milliseconds of a query, R@1 and R@10 in percent; and the ids that were found."""
    times, found = [], []
    searcher.search_fragments(*queries[0], K, mode, candidates, recall=recall)  # reads the pages
    for query in queries:
        start = time.perf_counter()
        hits = searcher.search_fragments(*query, K, mode, candidates, recall=recall)
        times.append(1000 * (time.perf_counter() - start))
        found.append([hit.id for hit in hits])
    shares = {f"r{k}": 100 * float(np.mean([image in ids[:k] for image, ids in zip(relevant, found)])) for k in (1, K)}
    return {"ms": float(np.median(times)), **shares}, found


def overlap(exact: list, found: list) -> float:
    """Return the share of the exact results that are found, over all queries."""
    return float(np.mean([len({*one} & {*other}) / len(one) for one, other in zip(exact, found)]))
