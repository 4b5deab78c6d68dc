"""Retrieve Fast, Rerank Smart (Geigle et al. 2022): a bi-encoder retrieves, a cross-BERT reranks the best n."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import paddle

from ..data.store import Store
from ..data.tokenized import TokenizedSplit, tokenize_split
from ..errors import InputError
from ..formatting import HEADINGS, recalls_text, text_table
from ..metrics import best_candidates, reranked_recalls
from ..model.encoder import DualEncoder
from .checkpoint import Checkpoint
from .cross import EmbeddedSide, Texts, embed_images, embed_texts, match_pairs
from .encode import encode_images
from .evaluate import as_json, score_all
from .latency import median_ms, query_latency


def evaluate_reranking(
    retriever: DualEncoder, reranker: DualEncoder, store: Store, data: TokenizedSplit, depths: list[int]
) -> dict:
    """Return recall and latency at each depth n, as JSON values.

    Args:
        retriever: scores all images (texts) with each text (image).
        reranker: a cross-BERT, or a joint model (it may be the retriever); its scores order the retriever's best n.
        depths: numbers n of candidates that are reranked; 0 is the retriever alone.

    Returns:
        ``rerank``: for each depth ``n``, ``t2i``, ``i2t``, ``rsum`` and ``ms_per_query`` (a text against all images,
        retrieval and reranking); ``pairs`` that the reranker scored for this, in ``seconds``.
    """
    _check(retriever, reranker, len(data.split.image_rows), depths)
    retrieved = score_all(retriever, store, data.ids, data.split.image_rows)
    text, image = embed_texts(reranker, data.ids), embed_images(reranker, store, data.split.image_rows)
    by_text, by_image = best_candidates(retrieved.T, max(depths)), best_candidates(retrieved, max(depths))
    start = time.perf_counter()
    texts, images = _pairs(by_text), _pairs(by_image)
    of_texts = match_pairs(reranker, text, image, texts[0], texts[1], "rerank t2i").reshape(by_text.shape)
    of_images = match_pairs(reranker, text, image, images[1], images[0], "rerank i2t").reshape(by_image.shape)
    seconds = time.perf_counter() - start
    retrieval_ms = sum(query_latency(retriever, data.ids, encode_images(retriever, store, data.split.image_rows)))
    rows = []
    for n in depths:
        best = (by_text[:, :n], of_texts[:, :n]), (by_image[:, :n], of_images[:, :n])
        result = reranked_recalls(retrieved, data.split.caption_image, *best)
        measured = as_json(result, "full", *retrieved.shape)
        ms = retrieval_ms + (_rerank_ms(reranker, text, image, by_text[:, :n]) if n else 0.0)
        rows.append({"n": n, **{key: measured[key] for key in ("t2i", "i2t", "rsum")}, "ms_per_query": ms})
    sizes = {"images": retrieved.shape[0], "captions": retrieved.shape[1], "pairs": of_texts.size + of_images.size}
    return {"rerank": rows, **sizes, "seconds": seconds}


def rerank_checkpoints(
    retriever: Checkpoint, reranker: Checkpoint, data_dir: str | Path, split: str, depths: list[int], images: int = 0
) -> dict:
    """Run :func:`evaluate_reranking` of two checkpoints on the first ``images`` images of a split (0: all)."""
    tokenizers = retriever.tokenizer(), reranker.tokenizer()
    if tokenizers[0].key != tokenizers[1].key:
        problem = "have different vocabularies, text lengths or tokens; rerank with a model of the same data"
        raise InputError(f"{retriever.directory} and {reranker.directory} {problem}")
    store = retriever.open_data(data_dir)
    reranker.open_data(data_dir)
    data = tokenize_split(store, split, tokenizers[0]).first_images(images)
    models = retriever.load_model(), reranker.load_model()
    result = evaluate_reranking(*models, store, data, depths)
    return {"retriever": str(retriever.directory), "reranker": str(reranker.directory), **result}


def describe_reranking(result: dict) -> str:
    """Return the result of :func:`rerank_checkpoints` as a table."""
    rows = [
        (row["n"], *recalls_text(row), f"{row['rsum']:.1f}", f"{row['ms_per_query']:.2f}") for row in result["rerank"]
    ]
    table = text_table("{:>4}  {:>15}  {:>15}  {:>6}  {:>12}", [("n", *HEADINGS, "rsum", "ms per query"), *rows])
    cost = f"{result['pairs']} pairs reranked in {result['seconds']:.1f} s; a query is one caption against all images"
    return f"{table}\n{result['images']} images, {result['captions']} captions; {cost}"


def _check(retriever: DualEncoder, reranker: DualEncoder, images: int, depths: list[int]) -> None:
    if retriever.is_cross:
        raise InputError("the retriever is a cross-BERT, which scores every pair: give a bi-encoder, or a joint model")
    if reranker.match_head is None:
        way = "give a cross-BERT (model.scoring: cross) or a joint model (model.joint: true)"
        raise InputError(f"the reranker is a bi-encoder: {way}")
    for n in depths:
        if not 0 <= n <= images:
            raise InputError(f"{n} candidates cannot be reranked of {images} images: give 0 to {images}")


def _pairs(candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return flat (queries, candidates) of (queries, n) candidates."""
    return np.repeat(np.arange(len(candidates)), candidates.shape[1]), candidates.reshape(-1)


def _rerank_ms(
    reranker: DualEncoder, text: Texts, image: EmbeddedSide, candidates: np.ndarray, repeats: int = 30
) -> float:
    """Measure the median milliseconds of scoring one text's candidates."""

    def query(i: int) -> paddle.Tensor:
        row = candidates[i % len(candidates)]
        return paddle.to_tensor(match_pairs(reranker, text, image, np.full(len(row), i % len(candidates)), row))

    return median_ms(query, repeats)
