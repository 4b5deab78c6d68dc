"""Pictures of what a model does: its attention, and which region each word chose; ``tools/visualize.py`` draws them."""

from ..cpu import prepare_for_paddle

prepare_for_paddle()
