"""Mixed precision: ``paddle.amp`` on GPUs that have it, float32 elsewhere."""

from __future__ import annotations

import paddle

from ..config import AmpConfig
from ..scoring import Fragments


class Precision:
    """Autocast, loss scaling and the dtype in which cosines are computed.

    On the CPU ``paddle.amp`` does nothing useful, so a config that asks for it is run in
    float32, and ``notice`` says so.
    """

    def __init__(self, config: AmpConfig):
        wanted = config.level != "O0"
        on_gpu = paddle.device.get_device().startswith("gpu")
        self.level = config.level if wanted and on_gpu else "O0"
        self.dtype = config.dtype
        self.enabled = self.level != "O0"
        notice = f"amp {config.level} {config.dtype} needs a GPU: training in float32"
        self.notice = notice if wanted and not on_gpu else ""
        self.scaler = paddle.amp.GradScaler(enable=self.enabled and config.dtype == "float16")

    def decorate(self, model, optimizer):
        """Cast the weights for O2 (the optimizer keeps a float32 copy)."""
        if self.level != "O2":
            return model, optimizer
        return paddle.amp.decorate(model, optimizer, level="O2", dtype=self.dtype, master_weight=True)

    def autocast(self):
        """Return the context in which Paddle chooses the dtype of each operation."""
        return paddle.amp.auto_cast(enable=self.enabled, level=self.level if self.enabled else "O1", dtype=self.dtype)

    def cast(self, fragments: Fragments) -> Fragments:
        """Cast fragments to the dtype of their cosines; sums over them stay float32."""
        if not self.enabled:
            return fragments
        mask = None if fragments.mask is None else fragments.mask.astype(self.dtype)
        return Fragments(fragments.vectors.astype(self.dtype), mask)
