"""A cascade on real embeddings: its speed, and how much of the exact result it finds, by the number of candidates.

The index holds the photos of a data set, the split's first, collages of them as distractors, and jittered copies where
more are asked for; the queries are captions of that split. What is timed is the search from the query's fragments to
the ids of the best ten, without the encoding.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path
from typing import Callable

import numpy as np

from inflate_shrink.atomic import write_json
from inflate_shrink.engine.checkpoint import Checkpoint
from inflate_shrink.errors import InputError
from inflate_shrink.json_values import parse_json
from inflate_shrink.kernel import StoredFragments, encode_rows, scores
from inflate_shrink.kernel.compiled import thread_count
from inflate_shrink.search.encoder.encoders import QueryEncoder
from inflate_shrink.search.encoder.export import export_encoder
from inflate_shrink.search.encoders import ENCODER
from inflate_shrink.search.ranking import best
from inflate_shrink.search.searcher import Searcher
from inflate_shrink.search.stages import read_budgets

from ..environment import environment, workspace
from .cascade_build import BITS, build_indexes
from .cascade_quality import measure_quality
from .cascade_settings import CascadeBenchmark
from .cascade_stages import Pooled, parts_of_a_query
from .embedded import JITTER, Embedded, embed
from .memory import memory_of_search
from .mixing import measure_mixing
from .throughput import measure_throughput

K = 10
MEMORY_QUERIES = 200
RESCORED = 50  # int8's best that are scored again in fp32
POOLED_BUDGETS = ((188, 40), (188, 60), (188, 80), (500, 80), (500, 120))  # of three stages


def measure_cascade(
    amount: CascadeBenchmark,
    checkpoint: Checkpoint,
    first: Checkpoint | None,
    data_dir: str | Path,
    say: Callable[[str], None] = print,
    keep: str | Path = "",
) -> dict:
    """Build indexes and measure their cascades.

    Args:
        checkpoint: of the exact model; first: of an F, or None.
        keep: a directory where the indexes stay, or are found as an earlier call left them; "": a temporary one.

    Returns:
        JSON values: the setting; ``exact``; ``stages``, for each first stage, and "three" for a second one of pooled
        fragments, a row for each number of candidates; ``alone``, for the fitted ones what they find without the exact
        scores; ``budgets``, for them a row for each recall that was measured; ``times``, of the parts of one of their
        queries; ``bytes``, an image; ``build``, seconds and correlation; ``quality``, of :mod:`.cascade_quality`;
        ``mixing``, of :mod:`.mixing`, or None without an F; ``precision``, how int8 agrees with fp32;
        ``throughput``, of :mod:`.throughput`; ``memory``.
    """
    with nullcontext(Path(keep)) if keep else workspace() as directory:
        made = directory / "made.json"
        if not made.is_file():
            _make(directory, made, amount, checkpoint, first, data_dir, say)
        result = parse_json(made.read_bytes(), made, "remove the directory to make it again").value
        asked = _asked(amount, checkpoint, first, data_dir)
        if result["asked"] != asked:
            raise InputError(f"{directory}: made for {result['asked']}, asked is {asked}; give another directory")
        return {**result, **_measure(directory, result, amount, say), "environment": environment()}


def _asked(amount: CascadeBenchmark, checkpoint: Checkpoint, first: Checkpoint | None, data_dir) -> dict:
    """Return what an earlier call must have been asked, too, for its indexes to be measured."""
    names = ("split", "images", "encoded", "dim", "queries", "stages", "centroids", "tried", "seed")
    values = {name: getattr(amount, name) for name in names}
    models = [model.origin()["fingerprint"] for model in (checkpoint, first) if model]
    return {**values, "stages": list(amount.stages), "data": str(data_dir), "models": models}


def _make(directory: Path, made: Path, amount, checkpoint, first, data_dir, say) -> None:
    store = checkpoint.open_data(data_dir)
    embedded = embed(amount, checkpoint, first, store)
    directory.mkdir(exist_ok=True)
    export_encoder(checkpoint, directory / ENCODER, "text")
    origin = {"model": checkpoint.origin(), "data": {"image_root": ""}}
    seconds = build_indexes(directory, embedded, amount, origin, say)
    fragments = embedded.projected(embedded.queries.fragments)
    first_vectors = {} if embedded.first is None else {"first": embedded.queries.first}
    np.savez(
        directory / "queries.npz", fragments=np.concatenate(fragments), lengths=[*map(len, fragments)], **first_vectors
    )
    stages = {stage: directory / stage for stage in amount.stages if (directory / stage).is_dir()}
    exact = embedded.projection is None and embedded.images == len(embedded.ids)
    result = {
        "asked": _asked(amount, checkpoint, first, data_dir),
        "model": checkpoint.origin(),
        "dim": amount.dim or checkpoint.config.model.hidden,
        "projected": embedded.projection is not None,
        "photos": sum(not name.startswith("collage-") for name in embedded.ids),
        "encoded": len(embedded.ids),
        "jitter": JITTER,
        "data": str(data_dir),
        "split": amount.split,
        "images": embedded.images,
        "queries": len(fragments),
        "k": K,
        "seed": amount.seed,
        "first": first.config.name if first else "",
        "captions": embedded.captions,
        "relevant": embedded.relevant,
        "build_seconds": seconds,
        "quality": measure_quality(stages, embedded, amount.tried, say) if stages.keys() & BITS.keys() else None,
        "precision": _int8_against_fp32(embedded, amount.threads) if exact else None,
        "mixing": measure_mixing(checkpoint, first, store, amount, say) if first and amount.tried else None,
    }
    write_json(made, result)


def _measure(directory: Path, made: dict, amount: CascadeBenchmark, say) -> dict:
    with np.load(directory / "queries.npz") as kept:
        fragments = np.split(kept["fragments"], np.cumsum(kept["lengths"])[:-1])
        vectors = list(kept["first"]) if "first" in kept else [None] * len(fragments)
    queries, relevant = list(zip(fragments, vectors)), made["relevant"]
    result: dict = {"threads": thread_count(amount.threads), "stages": {}, "bytes": {}, "alone": {}}
    result.update({"budgets": {}, "times": {}, "build": {}, "throughput": None})
    three, three_bytes = [], 0.0
    for stage in (stage for stage in amount.stages if (directory / stage).is_dir()):
        searcher = Searcher(directory / stage, amount.threads)
        if "exact" not in result:
            result["exact"], exact = _run(
                lambda query: searcher.search_fragments(*query, K, "exact"), queries, relevant
            )
            exact_ms = result["exact"]["ms"]
            say(f"exact: {exact_ms:.2f} ms a query of {len(searcher)} images, R@1 {result['exact']['r1']:.1f}")
            result["memory"] = memory_of_search(directory / stage, fragments[:MEMORY_QUERIES])

        def row(search, asked: str, **values) -> dict:
            found = _row(search, queries, relevant, exact, exact_ms)
            say(f"  {asked}: " + _LINE.format(**found))
            return {**values, **found}

        say(f"first stage by {stage}:")
        result["stages"][stage] = [
            row(
                lambda query, count=count: searcher.search_fragments(*query, K, "cascade", count),
                f"{count:5d} candidates",
                candidates=count,
            )
            for count in amount.candidates
        ]
        files = [file.size for segment in searcher.index.manifest.segments for file in segment.files.values()]
        result["bytes"][stage] = sum(files) / len(searcher)
        if stage not in BITS:
            continue
        budgets = read_budgets(searcher.index)
        result["build"][stage] = {"seconds": made["build_seconds"][stage], "correlation": budgets.correlation}
        result["budgets"][stage] = [
            row(
                lambda query, recall=budget.recall: searcher.search_fragments(*query, K, "cascade", recall=recall),
                f"recall {budget.recall:g}: {budget.scored:.0f} scored",
                recall=budget.recall,
                candidates=budget.first,
                scored=budget.scored,
            )
            for budget in budgets.rows
            if budget.k == K
        ]
        pooled = Pooled(searcher, amount.threads)
        result["alone"][stage] = row(lambda query: pooled.first_alone(query[0], K), "alone")
        encoder = QueryEncoder(directory / ENCODER, amount.threads)
        result["times"][stage] = parts_of_a_query(searcher, encoder, made["captions"], fragments, K)
        if stage == "fitted":
            if not made["projected"]:  # or the encoder's fragments are others
                result["throughput"] = measure_throughput(
                    searcher, encoder, made["captions"], fragments, K, amount.callers
                )
            if made["images"] == made["encoded"]:
                say("three stages:")
                added, whole = pooled.build(), len(searcher)
                three = [
                    row(
                        lambda query, first=first, second=second: pooled.search(query[0], K, first, second),
                        f"{first} and {second} candidates",
                        pooled=first,
                        candidates=second,
                    )
                    for first, second in ((min(one, whole), min(other, whole)) for one, other in POOLED_BUDGETS)
                ]
                three_bytes = result["bytes"][stage] + added
    if three:
        result["stages"]["three"], result["bytes"]["three"] = three, three_bytes
    return result


_LINE = "{ms:7.3f} ms, {speedup:5.1f} times faster, {agreement:.4f} of the exact ten, R@1 {r1:.1f}"


def _int8_against_fp32(embedded: Embedded, threads: int) -> dict:
    """Count how many of fp32's best are int8's too: among its own best, and among its best RESCORED scored again in
    fp32."""
    vectors, offsets = embedded.rows, np.cumsum([0, *embedded.lengths])
    centers = {"float32": None, "int8": vectors.mean(0)}
    rows = {
        name: StoredFragments(*encode_rows(vectors, name, center=center), offsets, name, vectors.shape[1], center)
        for name, center in centers.items()
    }
    wanted, direct, rescored = [], [], []
    for query in embedded.queries.fragments:
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


def _row(search: Callable, queries: list, relevant: list[str], exact: list, exact_ms: float) -> dict:
    timed, found = _run(search, queries, relevant)
    return {**timed, "speedup": exact_ms / timed["ms"], "agreement": overlap(exact, found)}


def _run(search: Callable, queries: list, relevant: list[str]) -> tuple[dict, list[list[str]]]:
    """Return median milliseconds of a query, R@1 and R@10 in percent; and the ids that were found."""
    times, found = [], []
    search(queries[0])  # reads the pages
    for query in queries:
        start = time.perf_counter()
        hits = search(query)
        times.append(1000 * (time.perf_counter() - start))
        found.append([hit.id for hit in hits])
    shares = {f"r{k}": 100 * float(np.mean([image in ids[:k] for image, ids in zip(relevant, found)])) for k in (1, K)}
    return {"ms": float(np.median(times)), **shares}, found


def overlap(exact: list, found: list) -> float:
    """Return the share of the exact results that are found, over all queries."""
    return float(np.mean([len({*one} & {*other}) / len(one) for one, other in zip(exact, found)]))
