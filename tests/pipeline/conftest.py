"""Results of steps that were never run."""

import pytest

from inflate_shrink.config import to_dict


@pytest.fixture
def result_of():
    """A function: config and changed values -> what the result.json of its run could hold."""

    def make(config, /, **changed):
        side = {"r1": 50.0, "r5": 80.0, "r10": 90.0, "medr": 1.0}
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
            "training": {"seconds": 1.0, "steps": 2},
            "evaluations": {"full": {"images": 10, "captions": 50, "t2i": side, "i2t": side}},
            "latency": {"encode_ms": 1.5, "score_ms": 0.5},
            **changed,
        }

    return make
