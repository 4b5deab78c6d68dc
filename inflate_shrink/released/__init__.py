"""The authors' released checkpoints."""

from ..cpu import prepare_for_paddle

prepare_for_paddle()
