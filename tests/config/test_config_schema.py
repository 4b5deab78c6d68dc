"""What the schema says of its keys, and who reads it."""

import typing

from inflate_shrink.config import NOTHING, PLACE, RESULT, WEIGHTS, keys_deciding
from inflate_shrink.config.schema import KEYS, out_of_range


def test_each_key_decides_one_thing():
    run = ["run.dir", "run.log_steps", "run.visualdl", "run.save_steps"]
    assert set(keys_deciding(NOTHING)) == {"name", "data.name", "data.any_extractor", *run}
    assert set(keys_deciding(RESULT)) == {"data.test_split", "data.protocols", "run.test_images"}
    assert set(keys_deciding(PLACE)) == {"data.dir", "data.vocab", "distill.teacher", "model.init", "model.bert"}
    weights = keys_deciding(WEIGHTS)
    assert len(weights) + 15 == len(KEYS)
    assert {"run.seed", "run.val_images", "run.eval_epochs"} <= set(weights)  # the latter two choose the best epoch


def test_a_key_that_comes_now_is_young():
    """With its default, steps that pipelines have run keep their names."""
    assert len([name for name, each in KEYS.items() if not each.young]) == 57


def test_every_whole_number_has_a_limit_and_every_default_keeps_it():
    for name, each in KEYS.items():
        if int in (each.type, *typing.get_args(each.type)):
            assert each.most is not None and out_of_range(each, 10**12), name
        assert out_of_range(each, each.default) == "", name


def test_no_two_keys_have_an_alias_in_common():
    aliases = [alias for each in KEYS.values() for alias in each.aliases]
    assert len(aliases) == len(set(aliases))
