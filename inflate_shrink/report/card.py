"""The card of a model: README.md with the hubs' YAML front matter. It prints what was recorded, and nothing else."""

from __future__ import annotations

import os
from typing import NamedTuple

import yaml

from ..data.extractors import EXTRACTION
from ..engine.checkpoint import Checkpoint
from ..formatting import HEADINGS, markdown_table, recalls_text
from ..pipeline.result import METRICS, SIDES

CARD = "README.md"
_PROTOCOLS = {
    "full": "every query against all images (or captions) at once",
    "first1k": "the first 1,000 images of the split, the paper's MSCOCO1K",
    "fold5": "mean over consecutive folds of 1,000 images",
}
_CITATION = """```bibtex
@inproceedings{liu2021inflate,
  title = {Inflate and Shrink: Enriching and Reducing Interactions for Fast Text-Image Retrieval},
  author = {Liu, Haoliang and Yu, Tan and Li, Ping},
  booktitle = {Proceedings of the 2021 Conference on Empirical Methods in Natural Language Processing},
  year = {2021}
}
```"""


class Measured(NamedTuple):
    """Recalls of a split: ``values`` has protocol, images, captions, t2i and i2t in percent."""

    split: str
    validation: bool  # it chose the checkpoint
    values: dict


def card(checkpoint: Checkpoint, name: str, license: str, measured: list[Measured], result: dict | None) -> str:
    """Write the card.

    Args:
        name: of the folder, in the commands that it prints.
        license: of the weights.
        measured: recalls of these weights.
        result: what :func:`..pipeline.result.read_result` gives of these weights, if it is there: who measured.
    """
    config = checkpoint.config
    parts = [
        f"---\n{yaml.safe_dump(_front_matter(checkpoint, license, measured), sort_keys=False)}---",
        f"# {config.name or name}",
        _what_it_is(checkpoint),
        f"## Use\n\n{_use(checkpoint, name)}",
        f"## Data\n\n{_data(checkpoint, result)}",
        f"## Recalls\n\n{_recalls(config.data.name, measured, result)}",
        f"## Limits\n\n{_limits(checkpoint)}",
        f"## Cite\n\n{_CITATION}",
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(checkpoint: Checkpoint, license: str, measured: list[Measured]) -> dict:
    config = checkpoint.config
    front = {
        "license": license,
        "library_name": "inflate-shrink",
        "pipeline_tag": "feature-extraction",
        "tags": ["image-text-retrieval", "late-interaction", "paddlepaddle", "inflate-and-shrink"],
        "metrics": ["recall"],
    }
    results = [
        {
            "task": {"type": "image-text-retrieval"},
            "dataset": {
                "name": _data_name(config.data.name),
                "type": _data_name(config.data.name),
                "split": each.split,
            },
            "metrics": [
                {"type": "recall", "name": f"{side} R@{key[1:]}, protocol {each.values['protocol']}", "value": value}
                for side in SIDES
                for key, value in ((key, round(each.values[side][key], 2)) for key in METRICS)
            ],
        }
        for each in measured
    ]
    return {**front, **({"model-index": [{"name": config.name, "results": results}]} if results else {})}


def _data_name(name: str) -> str:
    return name or "unnamed"


def _what_it_is(checkpoint: Checkpoint) -> str:
    config, model = checkpoint.config, checkpoint.config.model
    fragments = model.fragments_of(config.data.text_length)
    inflated = f", {model.codes} of them inflating codes" if model.codes else ""
    size = f"{model.layers} layers of {model.hidden} numbers, {model.heads} heads"
    way = f", distilled from `{os.path.basename(config.distill.teacher)}`" if config.distill.teacher else ""
    return (
        "A dual encoder of captions and of regions of images, whose fragments are compared by late interaction: the "
        "method of *Inflate and Shrink* (EMNLP 2021), in PaddlePaddle. Texts of up to "
        f"{config.data.text_length} pieces become up to {fragments} fragments of {model.hidden} numbers{inflated}; "
        f"{size}; {checkpoint.state['step']} updates, recipe `{config.recipe}`{way}."
    )


def _use(checkpoint: Checkpoint, name: str) -> str:
    images = 'model.encode_photos(["photo.jpg"], backbone="...")  # the network that Data names'
    if EXTRACTION not in _made_by(checkpoint):
        dim = checkpoint.state["region_dim"]
        images = f"model.encode_images(regions, counts)  # (n, m, {dim}) and (n,), see Data"
    return f"""```python
import inflate_shrink as ins

model = ins.load_model("{name}")
texts = model.encode_texts(["a dog in the snow"])
images = {images}
scores = model.score(texts, images)  # (images, texts)
```

Or an index of a folder of photos that `tools/extract_regions.py` described, and a search:

    inflate-shrink index build --checkpoint {name} --data data/photos --out indexes/photos
    inflate-shrink search --index indexes/photos "a dog in the snow"

`text_encoder/` and `image_encoder/` hold the same as graphs that run without the model's code, for Paddle Inference and,
where there is a `model.onnx`, onnxruntime. `files.json` has the checksums of the files."""


def _data(checkpoint: Checkpoint, result: dict | None) -> str:
    data, made_by = checkpoint.config.data, _made_by(checkpoint)
    images = f", {result['train_images']} images" if result and result["train_images"] else ""
    return "\n".join([
        f"- Trained on: {_data_name(data.name)}, split `{data.train_split}`{images}.",
        f"- Regions: {made_by.get('extractor') or 'of an extractor that is not recorded'}"
        f" ({checkpoint.state['region_dim']} numbers each; {made_by.get('clustering') or 'clustering not recorded'}).",
        f"- Words: {checkpoint.state['vocab_size']} WordPieces, `vocab.txt`.",
    ])  # fmt: skip


def _made_by(checkpoint: Checkpoint) -> dict:
    """Return what the checkpoint says of its regions; {} of an earlier version's."""
    made_by = checkpoint.state.get("regions")
    return made_by if isinstance(made_by, dict) else {}


def _recalls(data: str, measured: list[Measured], result: dict | None) -> str:
    if not measured:
        return "None is recorded of these weights. `tools/measure.py` measures a run; then export it again."
    rows = [
        (
            f"{_data_name(data)}, {each.split}{' (chose the checkpoint)' if each.validation else ''}",
            str(each.values.get("protocol", "full")),
            str(each.values["images"]),
            str(each.values["captions"]),
            *recalls_text(each.values),
        )
        for each in measured
    ]
    table = markdown_table(["split", "protocol", "images", "captions", *HEADINGS], rows)
    used = dict.fromkeys(row[1] for row in rows)
    meaning = "; ".join(f"`{protocol}`: {_PROTOCOLS[protocol]}" for protocol in used if protocol in _PROTOCOLS)
    missing = "" if result else "\n\nNothing is recorded of the test split: `tools/measure.py` measures a run."
    by = ""
    if result:
        training = result["training"]
        by = "".join(f", {training[key]}" for key in ("hardware", "date") if training.get(key))
        by = f"\n\nSeed {result['seed']}, Paddle {training.get('paddle', 'of an unknown version')}{by}."
    return f"{table}\n\nIn percent: text to image (t2i) and image to text (i2t). Protocols: {meaning}.{by}{missing}"


def _limits(checkpoint: Checkpoint) -> str:
    data = checkpoint.config.data
    demo = "\n- The demo's images are drawn scenes, its captions made by rules: of photos this model knows nothing."
    return (
        "- It reads regions of the extractor above alone; those of another one are refused, since they would mean"
        " nothing.\n"
        f"- Captions are cut at {data.text_length} pieces; words outside the vocabulary are lost.\n"
        "- It knows what its training captions say of its training images, with what is one-sided or missing in them.\n"
        "- A recall is of those images and captions alone; on others, and among more, it is another."
        f"{demo if data.name == 'demo' else ''}"
    )
