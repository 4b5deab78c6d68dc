"""Search: indexes that are built off-line and answer text queries."""

from ..cpu import prepare_for_paddle

prepare_for_paddle()
