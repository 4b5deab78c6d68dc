"""Checkpoint files in the layout of the released code, written without PyTorch."""

import collections
import io
import pickle
import zipfile

import numpy as np

LEGACY_MAGIC, LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class Global:
    """Pickled as the name of a class or function, which need not exist here."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Call:
    """Pickled as the call of a global, which the unpickler is to make."""

    def __init__(self, module, name, *arguments):
        self.function, self.arguments = Global(module, name), arguments


class Storage:
    """The numbers that tensors are views of; ``size``: how many the file says they are."""

    def __init__(self, kind, array, location="cpu", size=None):
        self.kind, self.array, self.location = kind, np.ascontiguousarray(array), location
        self.size = self.array.size if size is None else size


def tensor(storage, shape, strides, offset=0):
    """A tensor, all counts in elements as PyTorch has them."""
    return Call("torch._utils", "_rebuild_tensor_v2", storage, offset, shape, strides, False, collections.OrderedDict())


def contiguous(array):
    """A tensor with the values of a float32 array."""
    strides = tuple(stride // 4 for stride in np.empty(array.shape, "float32").strides)
    return tensor(Storage("FloatStorage", array.astype("float32")), array.shape, strides)


def save_zip(path, content):
    """As ``torch.save`` does since PyTorch 1.6."""
    pickled, storages = _pickle(content, legacy=False)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        for key, storage in storages.items():
            archive.writestr(f"archive/data/{key}", storage.array.tobytes())
        archive.writestr("archive/version", "3\n")


def save_legacy(path, content):
    """As ``torch.save`` did before."""
    pickled, storages = _pickle(content, legacy=True)
    with open(path, "wb") as file:
        for value in (LEGACY_MAGIC, LEGACY_PROTOCOL, {"little_endian": True}):
            pickle.dump(value, file, protocol=2)
        file.write(pickled)
        pickle.dump(list(storages), file, protocol=2)
        for storage in storages.values():
            file.write(storage.size.to_bytes(8, "little") + storage.array.tobytes())


def save_released(path, weights):
    """A released file with these arrays; as the authors did, with everything else a training run saves."""
    state = collections.OrderedDict((f"module.{name}", contiguous(array)) for name, array in weights.items())
    save_legacy(
        path, {"epoch": 39, "model": [state], "best_rsum": 1.0, "opt": Call("argparse", "Namespace"), "Eiters": 0}
    )


def bert_shapes(bert, hidden, ffn, layers, words):
    """Name -> shape of one BERT called ``bert``, layer by layer."""
    shapes = {
        f"{bert}.embeddings.word_embeddings.weight": (words, hidden),
        f"{bert}.embeddings.position_embeddings.weight": (512, hidden),
        f"{bert}.embeddings.token_type_embeddings.weight": (2, hidden),
        f"{bert}.embeddings.LayerNorm.weight": (hidden,),
        f"{bert}.embeddings.LayerNorm.bias": (hidden,),
    }
    for layer in range(layers):
        for name, out, into in (
            ("attention.self.query", hidden, hidden),
            ("attention.self.key", hidden, hidden),
            ("attention.self.value", hidden, hidden),
            ("attention.output.dense", hidden, hidden),
            ("intermediate.dense", ffn, hidden),
            ("output.dense", hidden, ffn),
        ):
            shapes[f"{bert}.encoder.layer.{layer}.{name}.weight"] = (out, into)
            shapes[f"{bert}.encoder.layer.{layer}.{name}.bias"] = (out,)
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes[f"{bert}.encoder.layer.{layer}.{name}.weight"] = (hidden,)
            shapes[f"{bert}.encoder.layer.{layer}.{name}.bias"] = (hidden,)
    return {**shapes, f"{bert}.pooler.dense.weight": (hidden, hidden), f"{bert}.pooler.dense.bias": (hidden,)}


def released_shapes(berts, codes, hidden=64, ffn=96, layers=12, words=30, region_dim=20):
    """Name -> shape of everything in a released file with these BERTs."""
    shapes = {f"poly_code_embeddings_{side}.weight": (codes, hidden) for side in "vt"} if codes else {}
    for bert in berts:
        shapes.update(bert_shapes(bert, hidden, ffn, layers, words))
    for name, out, into in (("fc", hidden, region_dim), ("fc3", 1601, hidden), ("fc2", 1, hidden)):
        shapes.update({f"{name}.weight": (out, into), f"{name}.bias": (out,)})
    return {**shapes, "norm.weight": (hidden,), "norm.bias": (hidden,)}


class _Pickler(pickle._Pickler):
    """The pure Python pickler: it can be taught to write names and references."""

    _KINDS = {
        type(None): "none",
        bool: "bool",
        int: "long",
        float: "float",
        str: "str",
        tuple: "tuple",
        list: "list",
        dict: "dict",
        set: "set",
        type: "type",
    }
    # Dill changes the inherited one.
    dispatch = {kind: getattr(pickle._Pickler, f"save_{name}") for kind, name in _KINDS.items()}

    def save(self, thing, *arguments):
        if isinstance(thing, Storage):
            self.save(self.reference(thing))
            self.write(pickle.BINPERSID)
        elif isinstance(thing, Global):
            self.write(pickle.GLOBAL + f"{thing.module}\n{thing.name}\n".encode())
        elif isinstance(thing, Call):
            self.save(thing.function)
            self.save(thing.arguments)
            self.write(pickle.REDUCE)
        else:
            super().save(thing, *arguments)


def _pickle(content, legacy):
    buffer, storages = io.BytesIO(), {}

    def reference(storage):
        key = str(id(storage))
        storages[key] = storage
        return ("storage", Global("torch", storage.kind), key, storage.location, storage.size) + (
            (None,) if legacy else ()
        )

    pickler = _Pickler(buffer, protocol=2)
    pickler.reference = reference
    pickler.dump(content)
    return buffer.getvalue(), storages
