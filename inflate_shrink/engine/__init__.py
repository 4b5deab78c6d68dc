"""Training, evaluation and checkpoints."""

from ..cpu import prepare_for_paddle

prepare_for_paddle()
