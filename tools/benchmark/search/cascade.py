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
from inflate_shrink.kernel.compiled import thread_count
from inflate_shrink.search.build import CENTER_SAMPLE, BuildSettings, Models, create_empty, rows_that_count
from inflate_shrink.search.centroids import SAMPLE, centroid_count
from inflate_shrink.search.index import IndexWriter
from inflate_shrink.search.ranking import best
from inflate_shrink.search.searcher import CENTROIDS, FRAGMENTS, NEAREST, VECTOR, Searcher

from ..environment import environment, workspace
from .cascade_settings import CascadeBenchmark
from .collages import collages
from .memory import memory_of_search

K = 10
MEMORY_QUERIES = 200
RESCORED = 50  # int8's best that are scored again in fp32


class Encoded(NamedTuple):
    """All images of the benchmark. fragments: (R, d) float32 and lengths (N,), by each model."""

    ids: list[str]
    exact: tuple[np.ndarray, np.ndarray]
    first: tuple[np.ndarray, np.ndarray] | None


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
        JSON values: the setting; ``exact``, of the index with centroids; ``stages``, for "centroids" and "vector" a
        row for each number of candidates; ``recall``, R@1 and R@10 of exact search of each stage's index, whose int8
        rows are centred on another sample; ``precision``, how int8 agrees with fp32.
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
    with workspace() as directory:
        for stage, of_stage in (("centroids", None), *([("vector", first)] if first else [])):
            _build(directory / stage, Models(checkpoint, of_stage), encoded, amount)
            searcher = Searcher(directory / stage, amount.threads)
            queries = [searcher.encode(split.captions[i]) for i in chosen]
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

    return Encoded(ids, rows(checkpoint), rows(first) if first else None)


def _build(directory: Path, models: Models, encoded: Encoded, amount: CascadeBenchmark) -> None:
    vectors, lengths = encoded.exact
    centroids = amount.centroids if amount.centroids > 0 else centroid_count(len(vectors))
    settings = BuildSettings(centroids=0 if models.first else centroids, seed=amount.seed)
    sample = max(CENTER_SAMPLE, settings.centroids * SAMPLE)
    chosen = np.sort(np.random.default_rng(amount.seed).permutation(len(vectors))[:sample])
    samples = [vectors[chosen], *([encoded.first[0]] if models.first else [])]
    create_empty(directory, models, {"image_root": ""}, settings, samples)
    fields = {FRAGMENTS: encoded.exact}
    if models.first:
        fields[VECTOR] = encoded.first
    else:
        fields[NEAREST] = nearest_centroids(vectors, np.load(directory / CENTROIDS)), lengths
    with IndexWriter(directory) as writer:
        writer.add(encoded.ids, [""] * len(encoded.ids), fields)
        writer.commit()


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


def _row(searcher: Searcher, queries, relevant, exact, exact_ms: float, candidates: int, say) -> dict:
    row, found = _run(searcher, queries, relevant, "cascade", candidates)
    row = {"candidates": candidates, **row, "speedup": exact_ms / row["ms"], "agreement": overlap(exact, found)}
    say(
        "  {candidates:5d} candidates: {ms:7.3f} ms, {speedup:5.1f} times faster, "
        "{agreement:.4f} of the exact ten, R@1 {r1:.1f}".format(**row)
    )
    return row


def _run(searcher: Searcher, queries, relevant, mode: str, candidates: int = K) -> tuple[dict, list[list[str]]]:
    """Return median milliseconds of a query, R@1 and R@10 in percent; and the ids that were found."""
    times, found = [], []
    searcher.search_fragments(*queries[0], K, mode, candidates)  # reads the pages
    for query in queries:
        start = time.perf_counter()
        hits = searcher.search_fragments(*query, K, mode, candidates)
        times.append(1000 * (time.perf_counter() - start))
        found.append([hit.id for hit in hits])
    recall = {f"r{k}": 100 * float(np.mean([image in ids[:k] for image, ids in zip(relevant, found)])) for k in (1, K)}
    return {"ms": float(np.median(times)), **recall}, found


def overlap(exact: list, found: list) -> float:
    """Return the share of the exact results that are found, over all queries."""
    return float(np.mean([len({*one} & {*other}) / len(one) for one, other in zip(exact, found)]))
