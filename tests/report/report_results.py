"""Results of runs that were never made."""


def side(r1, r5=80.0, r10=90.0):
    return {"r1": r1, "r5": r5, "r10": r10, "medr": 1.0}


def evaluation(t2i=60.0, i2t=70.0, images=1000, captions=5000):
    return {"images": images, "captions": captions, "t2i": side(t2i), "i2t": side(i2t), "rsum": 0.0}


def result(
    name="B", seed=0, data="coco", codes=0, fragments=32, scoring="late_interaction", recipe="released", directory="", teacher="", lr=1e-4, **changes
):  # fmt: skip
    """A result.json as a dictionary; ``t2i`` alone means one evaluation under first1k (coco) or full."""
    t2i = changes.pop("t2i", 60.0)
    config = {
        "name": name,
        "recipe": recipe,
        "data": {"name": data, "dir": f"data/{data}"},
        "model": {"codes": codes, "fragments": fragments, "init": "none", "ffn": 3072},
        "distill": {"teacher": teacher},
        "optim": {"lr": lr},
        "run": {"dir": directory or f"runs/{data}/{name}", "seed": seed},
    }
    values = {
        "name": name, "data": data, "split": "test", "seed": seed, "codes": codes, "fragments": fragments, "scoring": scoring, "hidden": 768,
        "layers": 3, "text_length": 32, "regions": 32, "recipe": recipe, "train_images": 100, "latency": None, "rerank": None,
        "evaluations": {"first1k" if data == "coco" else "full": evaluation(t2i)},
        "training": {"seconds": 1.0, "steps": 2, "paddle": "3.3.1", "hardware": "A CPU, 2 cores", "date": "2026-11-21"}, "config": config,
    }  # fmt: skip
    return {**values, **changes}
