"""Half precision on the CPU as a GPU has it, so that the graphs of O1 and O2 run where the CPU has no such kernels.

Paddle's own lists and rules (``paddle.amp.amp_lists``, ``paddle/fluid/imperative/amp_utils.h``) decide the dtype of
each operation; its inputs are cast, it is computed in float32 and its result is rounded. Where a GPU's kernel would be
given two dtypes, a :class:`MixedTypes` is raised.
"""

import importlib
from contextlib import contextmanager

import paddle
import paddle.nn.functional as F
from paddle.amp.amp_lists import black_list, white_list

from inflate_shrink.kernel import training
from inflate_shrink.model.transformer import Linear

HALF = (paddle.float16, paddle.bfloat16)
FLOATS = (*HALF, paddle.float32)
FUNCTIONS = {  # the functions of Paddle that the package calls, by the names that the lists have
    paddle: {
        "matmul": "matmul_v2", "concat": "concat", "where": "where", "gather": "gather", "rsqrt": "rsqrt",
        "log1p": "log1p", "take_along_axis": "take_along_axis", "put_along_axis": "put_along_axis",
        "sort": "argsort", "cumsum": "cumsum", "floor": "floor", "maximum": "elementwise_max", "log": "log",
    },
    F: {
        "softmax": "softmax", "log_softmax": "log_softmax", "gelu": "gelu", "relu": "relu", "softplus": "softplus",
        "layer_norm": "layer_norm", "embedding": "lookup_table_v2", "dropout": "dropout",
    },
    paddle.Tensor: {
        "sum": "reduce_sum", "max": "reduce_max", "argmax": "arg_max", "pow": "pow",
        "__add__": "elementwise_add", "__radd__": "elementwise_add", "__sub__": "elementwise_sub",
        "__rsub__": "elementwise_sub", "__mul__": "elementwise_mul", "__rmul__": "elementwise_mul",
        "__truediv__": "elementwise_div", "unsqueeze": "unsqueeze2", "squeeze": "squeeze2", "reshape": "reshape2",
        "transpose": "transpose2", "expand": "expand_v2", "t": "t", "__getitem__": "slice",
    },
}  # fmt: skip


class MixedTypes(Exception):
    """An operation was given two dtypes."""


class _State:
    level, dtype = "O0", paddle.float32


@contextmanager
def _auto_cast(enable=True, custom_white_list=None, custom_black_list=None, level="O1", dtype="float16", **_):
    before = _State.level, _State.dtype
    _State.level, _State.dtype = (level, getattr(paddle, dtype)) if enable else ("O0", paddle.float32)
    importlib.import_module("paddle.amp.auto_cast").amp_global_state().amp_dtype = dtype  # GradScaler reads it
    try:
        yield
    finally:
        _State.level, _State.dtype = before


def _tensors(arguments):
    for argument in arguments.values() if isinstance(arguments, dict) else arguments:
        if isinstance(argument, (list, tuple, dict)):
            yield from _tensors(argument)
        elif isinstance(argument, paddle.Tensor) and argument.dtype in FLOATS:
            yield argument


def _cast(argument, dtype):
    if isinstance(argument, dict):
        return {name: _cast(each, dtype) for name, each in argument.items()}
    if isinstance(argument, (list, tuple)):
        return type(argument)(_cast(each, dtype) for each in argument)
    floats = isinstance(argument, paddle.Tensor) and argument.dtype in FLOATS and argument.dtype != dtype
    return argument.astype(dtype) if floats else argument


def _left_wins():
    """Whether ``a + b`` of two dtypes has that of a, as in Paddle 2.6."""
    return (paddle.ones([1]) + paddle.ones([1], "float64")).dtype == paddle.float32


def _destination(name, inputs):
    """Return the dtype that autocast gives an operation."""
    dtype = "float16" if _State.dtype == paddle.float16 else "bfloat16"
    if name in white_list()[dtype][_State.level]:
        return _State.dtype
    if name in black_list()[dtype][_State.level]:
        return paddle.float32
    considered = inputs[:1] if name == "layer_norm" else inputs
    return paddle.float32 if any(each.dtype == paddle.float32 for each in considered) else _State.dtype


def _emulated(function, name, left_wins):
    norm = name == "layer_norm"

    def run(*arguments, **options):
        inputs = list(_tensors((arguments, options)))
        if not inputs:
            return function(*arguments, **options)
        if name.startswith("elementwise") and len({each.dtype for each in inputs}) > 1:
            arguments = _cast(arguments, inputs[0].dtype if left_wins else paddle.float32)
            inputs = list(_tensors(arguments))
        if _State.level != "O0":
            to = _destination(name, inputs)
            if norm and to != paddle.float32:  # its own weights stay as they are
                arguments = (_cast(arguments[0], to), *arguments[1:])
            else:
                arguments, options = _cast((arguments, options), to)
            inputs = list(_tensors((arguments, options)))
        if len({each.dtype for each in (inputs[:1] if norm else inputs)}) > 1:
            raise MixedTypes(f"{name}: {[each.dtype for each in inputs]}")
        if not any(each.dtype in HALF for each in inputs):
            return function(*arguments, **options)
        arguments, options = _cast((arguments, options), paddle.float32)
        wide = function(*arguments, **options)
        return wide.astype(inputs[0].dtype) if wide.dtype == paddle.float32 else wide

    return run


class _GpuPlace:
    def is_gpu_place(self):
        return True

    def is_xpu_place(self):
        return False

    def is_custom_place(self):
        return False


class _Tracer:
    """Paddle's tracer, but for the place that it says it is at."""

    def __init__(self, tracer):
        self.__dict__["tracer"] = tracer

    def __getattr__(self, name):
        return _GpuPlace() if name == "_expected_place" else getattr(self.tracer, name)

    def __setattr__(self, name, value):
        setattr(self.tracer, name, value)


def emulate_gpu(monkeypatch, capability=(7, 0)):
    """Let Paddle's mixed precision run on the CPU as on a GPU of this compute capability."""
    monkeypatch.setattr(paddle.device, "get_device", lambda: "gpu:0")
    monkeypatch.setattr(paddle.device.cuda, "get_device_capability", lambda *_: capability)
    monkeypatch.setattr(paddle.device.cuda, "get_device_name", lambda *_: "an emulated GPU")
    monkeypatch.setattr(paddle.device.cuda, "max_memory_allocated", lambda *_: 0)
    for module in ("auto_cast", "grad_scaler"):
        module = importlib.import_module(f"paddle.amp.{module}")
        tracer = module._dygraph_tracer
        monkeypatch.setattr(module, "_dygraph_tracer", lambda tracer=tracer: _Tracer(tracer()))
    monkeypatch.setattr(importlib.import_module("paddle.amp.auto_cast"), "_is_gpu_bfloat16_supported", lambda: True)
    monkeypatch.setattr(paddle.amp, "auto_cast", _auto_cast)
    left_wins = _left_wins()
    for holder, names in FUNCTIONS.items():
        for function, name in names.items():
            monkeypatch.setattr(holder, function, _emulated(getattr(holder, function), name, left_wins))
    monkeypatch.setattr(training, "available", lambda: False)  # the kernel's tensors are on the CPU
    # on a GPU a linear layer is a product and a sum; a norm calls the function that is replaced
    monkeypatch.setattr(Linear, "forward", lambda self, x: paddle.matmul(x, self.weight) + self.bias)
    norm = paddle.nn.LayerNorm
    monkeypatch.setattr(
        norm, "forward", lambda self, x: F.layer_norm(x, self._normalized_shape, self.weight, self.bias, self._epsilon)
    )
