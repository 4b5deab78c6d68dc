"""The dual encoder and its parts."""

from ..cpu import prepare_for_paddle

prepare_for_paddle()
