"""A CLIP small enough to compute by hand: photos by their mean colour, texts by the words for colours, in one space."""

import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WORDS = ["[PAD]", "[UNK]", "[CLS]", "a", "photo", "of", "red", "green", "blue", "and"]
# Of a pixel x in 0..1 a network sees 2 x - 1; a word for a colour is what a photo of that colour is.
COLOURS = {"red": (1, -1, -1), "green": (-1, 1, -1), "blue": (-1, -1, 1)}
LENGTH, SIDE, DIM = 8, 32, 4
PREPROCESSOR = {
    "do_resize": True,
    "size": {"shortest_edge": SIDE},
    "do_center_crop": True,
    "crop_size": {"height": SIDE, "width": SIDE},
    "resample": 3,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


def write_clip(directory, tokens=False, place="", variant="", text_dim=DIM, kind="clip", mask=True, external=False):
    """Write the folder of a CLIP; returns it.

    Args:
        tokens: both networks also give ``token_embeds``: of four quarters of a photo, and of each token.
        place: "onnx" for the networks in a subfolder. variant: such as "_quantized".
        text_dim: numbers of a text's vector. mask: the text network reads an attention_mask.
        external: the word vectors lie in a file beside.
    """
    (directory / place).mkdir(parents=True)
    out = np.eye(3, DIM, dtype=np.float32)
    nodes = [
        helper.make_node("AveragePool", ["pixel_values"], ["quarters"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Reshape", ["quarters", "flat"], ["rows"]),
        helper.make_node("Transpose", ["rows"], ["columns"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["columns", "out"], ["token_embeds"]),
        helper.make_node("ReduceMean", ["token_embeds"], ["image_embeds"], axes=[1], keepdims=0),
    ]
    constants = {"flat": np.array([0, 3, -1]), "out": out}
    vision = directory / place / f"vision_model{variant}.onnx"
    _save(vision, nodes, constants, {"pixel_values": (TensorProto.FLOAT, ["n", 3, "h", "w"])}, "image_embeds", tokens)
    table = np.full((len(WORDS), text_dim), 0.01, np.float32)
    for word, colour in COLOURS.items():
        table[WORDS.index(word), :3] = colour
    inputs = {"input_ids": (TensorProto.INT64, ["n", "l"])}
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["token_embeds"])]
    if mask:
        inputs["attention_mask"] = (TensorProto.INT64, ["n", "l"])
        nodes += [
            helper.make_node("Cast", ["attention_mask"], ["counted"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["counted", "last"], ["weights"]),
            helper.make_node("Mul", ["token_embeds", "weights"], ["kept"]),
        ]
    nodes.append(
        helper.make_node("ReduceSum", ["kept" if mask else "token_embeds", "middle"], ["text_embeds"], keepdims=0)
    )
    constants = {"table": table, "last": np.array([2]), "middle": np.array([1])}
    _save(directory / place / f"text_model{variant}.onnx", nodes, constants, inputs, "text_embeds", tokens, external)
    _write_tokenizer(directory)
    for name, content in (
        ("preprocessor_config.json", PREPROCESSOR),
        ("config.json", {"model_type": kind, "_name_or_path": "tiny/colours"}),
        ("tokenizer_config.json", {"model_max_length": LENGTH, "pad_token": "[PAD]"}),
    ):
        (directory / name).write_text(json.dumps(content))
    return directory


def _save(path, nodes, constants, inputs, output, tokens, external=False):
    outputs = [output, *(["token_embeds"] if tokens else [])]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    how = dict(save_as_external_data=True, location=f"{path.name}_data", size_threshold=100) if external else {}
    onnx.save(model, str(path), **how)


def _write_tokenizer(directory):
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    first = ("[CLS]", WORDS.index("[CLS]"))
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A", special_tokens=[first])
    tokenizer.save(str(directory / "tokenizer.json"))
