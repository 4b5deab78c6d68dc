"""Converted models compute what the authors' code computes, for weights both can rebuild from names.

``reference_outputs.npz`` holds numbers alone, what the authors' PyTorch code returned for weights and inputs that are drawn
here again (CPU, float32, evaluation mode, 3 layers of bert-base, 1,000 words), by mode: base, inflate with 32 codes,
shrinktobase. ``MODE_scores`` (6, 6), rows images (of shrinktobase: the teacher's; ``_student_scores`` the student's);
``MODE_loss``, of ranking with margin 0.6 or of distillation; ``MODE_text_fragments`` and ``MODE_image_fragments``, the
first 4 of 768 dimensions; ``MODE_grad_norms``, the L2 norm of the loss's gradient for each parameter, by sorted name.
"""

import json
import shutil
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
import paddle
import pytest

from inflate_shrink.config import config_from_dict
from inflate_shrink.engine.steps import share
from inflate_shrink.losses.distillation import full_cross_entropy
from inflate_shrink.losses.ranking import smooth_maximum
from inflate_shrink.model.encoder import DualEncoder
from inflate_shrink.released.convert import convert, parameter_names
from released_files import released_shapes, save_released

pytestmark = pytest.mark.slow

REFERENCE = Path(__file__).with_name("reference_outputs.npz")
SHAPES_CRC32 = 1499574328  # of the released names and shapes, sorted, as JSON
SIZES = dict(hidden=768, ffn=3072, layers=3, words=1000, region_dim=2048)


def weight(name, shape):
    """The parameter that reference and test rebuild from its name."""
    random = np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF)
    values = random.normal(0, 0.04, shape).astype("float32")
    return 1 + values if name.endswith(("LayerNorm.weight", "norm.weight")) else values


@pytest.fixture(scope="module")
def reference():
    with np.load(REFERENCE) as file:
        return dict(file)


@pytest.fixture(scope="module")
def inputs():
    """ids (6, 32), regions (6, 32, 2048), counts (6,)."""
    random = np.random.RandomState(7)
    ids = np.zeros((6, 32), "int64")
    for row, length in zip(ids, (4, 9, 14, 20, 31, 32)):
        row[:length] = random.randint(1, 1000, length)
    regions = abs(random.normal(0, 1, (6, 32, 2048))).astype("float32")
    return paddle.to_tensor(ids), paddle.to_tensor(regions), paddle.full([6], 32, "int64")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Mode -> released file. B of `shrinktofast` is the student of `shrinktobase`, F runs the layers of `base`."""
    folder = tmp_path_factory.mktemp("released")

    known = lru_cache(None)(weight)  # 22 million numbers a BERT
    of_base = {name for name in parameter_names("base", "student", 3) if ".layer." in name}

    def write(mode, berts, codes):
        weights = {}
        for name, shape in released_shapes(berts, codes, **SIZES).items():
            counterpart = name.replace("encoder3.", "encoder.", 1)
            if mode == "shrinktofast" and name in of_base:
                weights[name] = np.zeros(shape, "float32")
            else:
                weights[name] = known(counterpart if counterpart in of_base else name, shape)
        save_released(folder / f"{mode}.pth.tar", weights)

    write("base", ["encoder"], 0)
    write("inflate", ["encoder"], 32)
    write("shrinktobase", ["encoder", "encoder2"], 32)
    write("shrinktofast", ["encoder", "encoder2", "encoder3"], 0)
    (folder / "fast.pth.tar").symlink_to("base.pth.tar")  # the two differ in what is scored
    yield lambda mode: folder / f"{mode}.pth.tar"
    shutil.rmtree(folder)  # 700 MB


def test_layout_is_the_released_one():
    shapes = released_shapes(["encoder", "encoder2"], 32, **SIZES)
    assert len(shapes) == 120 and zlib.crc32(json.dumps(sorted(shapes.items())).encode()) == SHAPES_CRC32


@pytest.mark.parametrize("mode", ["base", "inflate"])
def test_ranking(mode, files, inputs, reference):
    ids, regions, counts = inputs
    model = convert(files(mode), mode).model
    check_fragments(mode, model, inputs, reference)
    scores = model(ids, regions, counts)
    check("scores", scores.numpy(), reference[f"{mode}_scores"])
    check_loss(mode, model, smooth_maximum(scores, margin=0.6, include_diagonal=True), reference)


def test_distillation(files, inputs, reference):
    ids, regions, counts = inputs
    teacher = convert(files("shrinktobase"), "shrinktobase", "teacher").model
    student = convert(files("shrinktobase"), "shrinktobase").model
    check_fragments("shrinktobase", student, inputs, reference)
    teacher_scores, student_scores = teacher(ids, regions, counts).detach(), student(ids, regions, counts)
    check("teacher scores", teacher_scores.numpy(), reference["shrinktobase_scores"])
    check("student scores", student_scores.numpy(), reference["shrinktobase_student_scores"])
    check_loss("shrinktobase", student, full_cross_entropy(teacher_scores, student_scores, 16, 16), reference)


def test_student_takes_inputs_and_codes(files, inputs, reference):
    """The authors' student with codes differs from its teacher in its Transformer: with the teacher's it is `inflate`."""
    teacher = convert(files("shrinktobase"), "shrinktobase", "teacher").model
    student = DualEncoder(teacher.config, teacher.vocab_size, teacher.region_dim)
    student.transformer.set_state_dict(teacher.transformer.state_dict())
    student.eval()
    share(config_from_dict({"recipe": "released"}, "recipe").distill, student, teacher)
    check_fragments("inflate", student, inputs, reference)
    loss = smooth_maximum(student(*inputs), margin=0.6, include_diagonal=True)
    check_loss("inflate", student, loss, reference, trained="transformer.")


def test_base_as_teacher(files, inputs, reference):
    with paddle.no_grad():
        scores = convert(files("shrinktofast"), "shrinktofast", "teacher").model(*inputs)
    check("scores", scores.numpy(), reference["shrinktobase_student_scores"])


def test_fast(files, inputs, reference):
    """No reference outputs: cosines of the first fragments of `base`, which has them."""
    ids, regions, counts = inputs
    with paddle.no_grad():
        base = convert(files("base"), "base").model
        check("scores", base(ids, regions, counts).numpy(), reference["base_scores"])
        text, image = (
            side.vectors.numpy()[:, 0].astype("float64")
            for side in (base.encode_text(ids), base.encode_image(regions, counts))
        )
        norms = np.outer(np.linalg.norm(image, axis=1), np.linalg.norm(text, axis=1))
        for mode in ("fast", "shrinktofast"):
            model = convert(files(mode), mode).model
            check(mode, model(ids, regions, counts).numpy(), image @ text.T / norms)


def check_fragments(mode, model, inputs, reference):
    ids, regions, counts = inputs
    with paddle.no_grad():
        for side, fragments in (("text", model.encode_text(ids)), ("image", model.encode_image(regions, counts))):
            check(f"{side} fragments", fragments.vectors.numpy()[..., :4], reference[f"{mode}_{side}_fragments"])


def check_loss(mode, model, loss, reference, trained=""):
    """Compare loss and gradients; those whose name does not begin with ``trained`` have none."""
    check("loss", loss.numpy(), reference[f"{mode}_loss"])
    loss.backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    names = parameter_names(mode, "student", 3)
    norms = reference[f"{mode}_grad_norms"]
    assert len(names) == len(norms)
    expected = dict(zip(sorted(names), norms))
    # a key's bias moves all logits of a row alike: its gradient is rounding noise
    noise = 1e-7 * max(expected.values())
    for name, norm in expected.items():
        if not names[name].startswith(trained):
            assert gradients[names[name]] is None
            continue
        # in float64: Paddle's own norm of a large matrix is off by 1e-3 on the CPU
        found = np.linalg.norm(gradients[names[name]].numpy().astype("float64"))
        np.testing.assert_allclose(found, norm, rtol=1e-3, atol=noise, err_msg=f"gradient of {name}")


def check(what, found, expected):
    """To 1e-4 of the largest: single dimensions of a fragment may be near 0."""
    assert np.shape(found) == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * abs(expected).max(), err_msg=what)
