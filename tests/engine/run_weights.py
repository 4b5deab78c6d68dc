"""The weights of a checkpoint, and whether they are those of another."""

import numpy as np

from inflate_shrink.engine.checkpoint import open_checkpoint


def weights(directory):
    return {name: value.numpy() for name, value in open_checkpoint(directory).load_model().state_dict().items()}


def assert_equal(ours, expected):
    assert ours.keys() == expected.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], expected[name], err_msg=name)
