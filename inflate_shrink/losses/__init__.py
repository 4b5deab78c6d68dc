"""Losses: pure functions of scores."""

from ..cpu import prepare_for_paddle

prepare_for_paddle()
