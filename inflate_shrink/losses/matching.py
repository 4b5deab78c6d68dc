"""The cross-BERT's loss: does a pair belong together?"""

from __future__ import annotations

import paddle
import paddle.nn.functional as F


def matching_loss(positive: paddle.Tensor, negative: paddle.Tensor) -> paddle.Tensor:
    """Return the binary cross-entropy of logits, summed over the batch; positives and negatives have equal weight.

    Args:
        positive: (B,) scores of matching pairs.
        negative: (N,) scores of hard negatives; all of them together weigh as much as the positives.

    >>> round(float(matching_loss(paddle.zeros([2]), paddle.zeros([3]))), 4)  # 2 log 2 for either side
    2.7726
    """
    weight = positive.shape[0] / negative.shape[0]
    return F.softplus(-positive).sum() + weight * F.softplus(negative).sum()
