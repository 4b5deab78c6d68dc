"""What came out of a finished step, measured on its test split: RUN/result.json."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path

import paddle

from ..config import Config, load_config, to_dict
from ..cpu import processor_and_cores
from ..data.tokenized import tokenize_split
from ..engine.checkpoint import Checkpoint, open_checkpoint
from ..engine.encode import encode_images
from ..engine.evaluate import describe, evaluate
from ..engine.latency import query_latency
from ..engine.progress import read_status
from ..engine.rerank import describe_reranking, rerank_checkpoints
from ..errors import InputError
from ..metrics import protocol_folds
from .result import write_result

DEPTHS = [0, 5, 10, 20, 50]  # candidates that are reranked


def measure_run(run_dir: Path) -> str:
    """Evaluate a finished run on its test split under its protocols, write the result and return its main part."""
    checkpoint = open_checkpoint(run_dir)
    real = run_dir.resolve()  # a pipeline's runs/DATA/NAME is a link
    # A pipeline's: it may ask for other protocols than the checkpoint was trained under.
    file = real.with_name(real.name + ".yaml")
    config = load_config(file) if file.is_file() else checkpoint.config
    store, model = checkpoint.open_data(config.data.dir), checkpoint.load_model()
    test = tokenize_split(store, config.data.test_split, checkpoint.tokenizer())
    measured = test.first_images(config.run.test_images)
    evaluations = {}
    for protocol in ["full"] if config.run.test_images else config.data.protocols:
        try:
            protocol_folds(protocol, len(measured.split.image_rows))
        except InputError:
            continue  # five folds of a thousand images need more, for one
        evaluations[protocol] = evaluate(model, store, measured, protocol)
    if not evaluations:
        raise InputError(
            f"{config.data.dir}: its split {config.data.test_split} fits none of data.protocols "
            f"({', '.join(config.data.protocols)}); add full"
        )
    latency, status = None, read_status(run_dir)
    if not model.is_cross:
        encode_ms, score_ms = query_latency(model, test.ids, encode_images(model, store, test.split.image_rows))
        latency = {"encode_ms": encode_ms, "score_ms": score_ms, "candidates": len(test.split.image_rows)}
    write_result(
        run_dir,
        {
            **_described(config),
            "evaluations": evaluations,
            "latency": latency,
            "rerank": None,
            "weights": checkpoint.fingerprint()[:16],
            "regions": store.regions.shape[1],
            "train_images": len(store.split(config.data.train_split).image_rows),
            "training": {"seconds": status and status.seconds, "steps": checkpoint.state["step"], **_measured_on()},
        },
    )
    return describe(next(iter(evaluations.values())))


def measure_together(directory: Path, retriever: Checkpoint, reranker: Checkpoint) -> str:
    """Write recall and latency of two models together, on the retriever's test split, as the result of ``directory``.
    Returns them as text."""
    config, start = retriever.config, time.monotonic()
    images = len(retriever.open_data(config.data.dir).split(config.data.test_split).image_rows)
    result = rerank_checkpoints(
        retriever, reranker, config.data.dir, config.data.test_split, [n for n in DEPTHS if n <= images]
    )
    described = {
        **_described(config),
        "name": f"{config.name}+{reranker.config.name}",
        "scoring": "rerank",
        "reranker": reranker.config.run.dir,
    }
    write_result(
        directory,
        {
            **described,
            "evaluations": {},
            "latency": None,
            "rerank": result["rerank"],
            "images": result["images"],
            "captions": result["captions"],
            "training": {"seconds": time.monotonic() - start, "steps": 0, **_measured_on()},
        },
    )
    return describe_reranking(result)


def _described(config: Config) -> dict:
    model = config.model
    return {
        "name": config.name,
        "data": config.data.name,
        "split": config.data.test_split,
        "seed": config.run.seed,
        "recipe": config.recipe,
        "codes": model.codes,
        "fragments": model.fragments_of(config.data.text_length),
        "scoring": model.scoring,
        "hidden": model.hidden,
        "layers": model.layers,
        "text_length": config.data.text_length,
        "config": to_dict(config),
    }


def _measured_on() -> dict:
    on_gpu = paddle.device.get_device().startswith("gpu")
    hardware = paddle.device.cuda.get_device_name() if on_gpu else processor_and_cores()
    return {"paddle": paddle.__version__, "hardware": hardware, "date": date.today().isoformat()}
