"""Mixed precision: ``paddle.amp`` on GPUs that have it, float32 elsewhere.

The weights that are optimized, validated and saved are float32 at every level. O1 casts what enters a product; O2
encodes with a copy of the model in half precision, whose gradients are added up, clipped and applied in float32.
Paddle's own O2 optimizer is not used: it takes the global norm of float16 gradients in float16, where squares overflow.
"""

from __future__ import annotations

import paddle

from ..config import AmpConfig
from ..errors import InputError
from ..model.encoder import DualEncoder
from ..scoring import Fragments

_LEAST = {"float16": (7, 0), "bfloat16": (8, 0)}  # compute capability from which Paddle casts to them


class Precision:
    """Autocast, loss scaling and the dtype in which cosines are computed.

    ``loss_scale`` is what the loss is multiplied by, so that small gradients are no zeros in float16; 1 without.

    On the CPU ``paddle.amp`` does nothing, so O1 is run in float32 there, and ``notice`` says so.

    Raises InputError for what the device cannot do: O2 on a CPU, bfloat16 on a V100.
    """

    def __init__(self, config: AmpConfig):
        self.level, self.dtype, self.notice = config.level, config.dtype, ""
        if self.level != "O0":
            self._check_device()
        self.enabled = self.level != "O0"
        self.scaler = paddle.amp.GradScaler(enable=self.enabled and self.dtype == "float16")
        self._read_scale()
        self._half = None

    def _check_device(self) -> None:
        asked = f"amp {self.level} {self.dtype}"
        if not paddle.device.get_device().startswith("gpu"):
            if self.level == "O2":
                raise InputError(f"{asked} needs a GPU, and Paddle finds none: choose amp.level O0, which is float32")
            self.level, self.notice = "O0", f"{asked} needs a GPU: training in float32"
            return
        found = tuple(paddle.device.cuda.get_device_capability())
        if found < _LEAST[self.dtype]:
            name, least = paddle.device.cuda.get_device_name(), ".".join(map(str, _LEAST[self.dtype]))
            problem = f"needs a GPU of compute capability {least}, {name} has {'.'.join(map(str, found))}"
            raise InputError(f"{asked} {problem}: choose amp.level O0{' or amp.dtype float16' * (found >= (7, 0))}")

    def autocast(self):
        """Return the context in which Paddle chooses the dtype of each operation."""
        return paddle.amp.auto_cast(enable=self.enabled, level=self.level if self.enabled else "O1", dtype=self.dtype)

    def cast(self, fragments: Fragments) -> Fragments:
        """Cast fragments to the dtype of their cosines; sums over them stay float32."""
        if not self.enabled:
            return fragments
        mask = None if fragments.mask is None else fragments.mask.astype(self.dtype)
        return Fragments(fragments.vectors.astype(self.dtype), mask)

    def network(self, model: DualEncoder) -> DualEncoder:
        """Return what encodes with the weights that ``model`` has now: itself, or for O2 a half-precision copy."""
        if self.level != "O2":
            return model
        if self._half is None:
            self._half = _half_precision_copy(model, self.dtype)
        with paddle.no_grad():
            for half, own in zip(self._half.parameters(), model.parameters()):
                paddle.assign(own.astype(half.dtype), half)
        return self._half

    def backward(self, loss: paddle.Tensor, model: DualEncoder) -> None:
        """Add to the gradients of ``model`` those of a loss that :meth:`network` gave, times the loss scale."""
        self.scaler.scale(loss).backward()
        if self.level != "O2":
            return
        for half, own in zip(self._half.parameters(), model.parameters()):
            if half.grad is not None:
                gradient = half.grad.astype("float32")
                own.grad = gradient if own.grad is None else own.grad + gradient
                half.clear_gradient(False)

    def step(self, optimizer) -> bool:
        """Update the weights, unless a gradient is not finite: that lowers ``loss_scale``. Returns whether it did."""
        # The optimizer names its state at its first update: the same in every process.
        with paddle.utils.unique_name.guard():
            self.scaler.step(optimizer)
        self.scaler.update()
        before = self.loss_scale
        self._read_scale()
        return self.loss_scale >= before

    def restore(self, state: dict) -> None:
        """Go on from the state of the scaler that a checkpoint has."""
        self.scaler.load_state_dict(state)
        self._read_scale()

    def _read_scale(self) -> None:
        self.loss_scale = self.scaler.state_dict()["scale"].item() if self.scaler.is_enable() else 1.0


def _half_precision_copy(model: DualEncoder, dtype: str) -> DualEncoder:
    """Return the same network with its weights in ``dtype``, but where Paddle keeps float32: LayerNorm in float16."""
    with paddle.utils.unique_name.guard():
        copy = DualEncoder(model.config, model.vocab_size, model.region_dim)
    for half, own in zip(copy.parameters(), model.parameters()):
        half.stop_gradient = own.stop_gradient
    copy.train()
    return paddle.amp.decorate(copy, level="O2", dtype=dtype)
