"""The table that ends the demo: what was measured, beside the paper's rows for the same models."""

from __future__ import annotations

from ..config import Config
from ..data.store import open_store
from ..published import published_table
from .checkpoint import open_checkpoint
from .encode import encode_images
from .evaluate import evaluate
from .latency import query_latency
from .training_data import tokenize_split


def measure(name: str, config: Config) -> dict:
    """Recalls and latency of a finished run on its test split, as the JSON of results.json."""
    checkpoint = open_checkpoint(config.run.dir)
    model = checkpoint.load_model()
    store = open_store(config.data.dir)
    test = tokenize_split(store, config.data.test_split, checkpoint.tokenizer())
    result = evaluate(model, store, test)
    image = encode_images(model, store, test.split.image_rows)
    encode_ms, score_ms = query_latency(model, test.ids, image)
    sides = {side: {key: round(result[side][key], 2) for key in ("r1", "r5", "r10")} for side in ("t2i", "i2t")}
    return {
        "model": name,
        "codes": config.model.codes,
        "fragments": image.vectors.shape[1],
        **sides,
        "images": result["images"],
        "captions": result["captions"],
        "encode_ms": round(encode_ms, 2),
        "score_ms": round(score_ms, 3),
    }


def format_table(results: list[dict]) -> str:
    """A table of the results, each row with the paper's R@1/5/10 on Flickr30K for that model."""
    paper = published_table("table2")
    lines = [
        f"{'':6} {'':5} {'':5} {'':6}  {'demo data, measured here':^33}  {'ms per query':^14}  {'paper, Flickr30K (Table 2)':^35}",
        f"{'model':6} {'codes':>5} {'frag.':>5} {'inter.':>6}  {'t2i R@1/5/10':^16} {'i2t R@1/5/10':^16}  {'encode':>6} {'score':>7}  {'t2i R@1/5/10':^17} {'i2t R@1/5/10':^17}",
    ]
    for row in results:
        ours = [_recalls(list(row[side].values())) for side in ("t2i", "i2t")]
        theirs = [_recalls(paper[row["model"]]["flickr30k"][side]) for side in ("t2i", "i2t")]
        lines.append(
            f"{row['model']:6} {row['codes']:5} {row['fragments']:5} {row['fragments'] ** 2:6}  {ours[0]:>16} {ours[1]:>16}"
            f"  {row['encode_ms']:6.2f} {row['score_ms']:7.3f}  {theirs[0]:>17} {theirs[1]:>17}"
        )
    first = results[0]
    lines.append(
        f"{first['images']} test images, {first['captions']} captions; scoring is of one caption against all of them."
        " The paper's models were trained on other, real data: compare the steps between rows, not the numbers."
    )
    return "\n".join(lines)


def _recalls(values: list[float]) -> str:
    return "/".join(f"{value:.1f}" for value in values)
