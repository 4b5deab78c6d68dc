"""Backbones by name: networks of ``paddle.vision.models`` that end at their feature map, with Paddle's own weights.

Weights are read as arrays, never unpickled. A network runs as a Paddle Inference model, which fuses its layers: a
ResNet-50 takes less than half the time that its layers take one by one.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

from ..errors import InputError, in_one_line, nearest
from ..predictor import Graph, open_paddle
from ..terminal import output_in
from ..weight_files.paddle_file import arrays_of, read_paddle_file

PIXELS = "imagenet"  # the preset that all of them were trained with
# Without those that Paddle 3.3.1 cannot end at the map (densenets) or save for photos of any size (shufflenets), and
# those whose cells are not of 32 pixels.
NAMES = (
    *(f"resnet{layers}" for layers in (18, 34, 50, 101, 152)),
    *(f"resnext{layers}_{groups}x4d" for layers in (50, 101, 152) for groups in (32, 64)),
    *("wide_resnet50_2", "wide_resnet101_2"),
    *("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"),
    *("vgg16", "vgg19"),
)
_KEYS = {  # of Paddle's tables of downloads, where they are not the name
    "mobilenet_v1": "mobilenetv1_1.0",
    "mobilenet_v2": "mobilenetv2_1.0",
    "mobilenet_v3_small": "mobilenet_v3_small_x1.0",
    "mobilenet_v3_large": "mobilenet_v3_large_x1.0",
}


def nearest_name(given: str) -> str:
    """Return the name that is spelled most like what was given."""
    return nearest(Path(given).stem, NAMES) or NAMES[0]


def weights_file(name: str, weights: str = "") -> Path:
    """Return the file of a network's weights: ``weights``, or Paddle's own, downloaded into its cache if need be.

    Raises:
        InputError: there is no such file, or it cannot be downloaded.
    """
    if weights:
        if not Path(weights).is_file():
            raise InputError(f"{weights}: no such file; expected the weights of {name}, a .pdparams file")
        return Path(weights)
    from paddle.utils import download

    url, checksum = sys.modules[_maker(name).__module__].model_urls[_KEYS.get(name, name)]
    try:
        return Path(download.get_weights_path_from_url(url, checksum))
    except Exception as error:  # of Paddle, of its HTTP library, or of the disk
        raise InputError(
            f"{name}: its weights cannot be downloaded ({in_one_line(error)}); download {url} where there is a network, "
            f"and give the file as --backbone-weights {Path(url).name}"
        ) from None


def open_named(name: str, weights: str = "", threads: int = 1) -> Graph:
    """Open a network: images (n, 3, h, w) to their feature maps (n, C, h/32, w/32). Threads take turns in it.

    While it is opened, standard output and error of the whole process are held back: Paddle writes there.

    Args:
        name: of :data:`NAMES`.
        weights: file of them; "": Paddle's own.

    Raises:
        InputError: as of :func:`weights_file`, or the file is damaged or of another network.
    """
    import paddle

    path = weights_file(name, weights)
    network = _maker(name)(pretrained=False, num_classes=0, with_pool=False)
    _fill(network, arrays_of(read_paddle_file(path)), f"{path}: no weights of {name}")
    network.eval()
    with TemporaryDirectory() as directory, TemporaryFile("w+") as log, output_in(log):
        image = paddle.static.InputSpec([None, 3, None, None], "float32", "image")
        paddle.jit.save(network, f"{directory}/model", [image])
        graph = next(path for path in Path(directory).iterdir() if path.suffix in (".json", ".pdmodel"))
        return open_paddle(graph, graph.with_suffix(".pdiparams"), threads)


def _maker(name: str):
    from paddle.vision import models

    return getattr(models, name)


def _fill(network, arrays: dict, problem: str) -> None:
    """Give a network its weights; those of the classifier, which it has not, are left."""
    import paddle

    state = network.state_dict()
    for key, parameter in state.items():
        found = arrays[key].shape if key in arrays else None
        if found != tuple(parameter.shape):
            raise InputError(f"{problem}: expected {key!r} of shape {tuple(parameter.shape)}, found {found or 'none'}")
    parts = {key.partition(".")[0] for key in state}
    for key in arrays:
        if key not in state and key.partition(".")[0] in parts:  # a deeper network of the same kind has all and more
            raise InputError(f"{problem}, which has no {key!r}")
    network.set_state_dict({key: paddle.to_tensor(arrays[key].astype("float32")) for key in state})
