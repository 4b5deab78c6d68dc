"""Factorised targets of distillation: their products are the teacher's scores, and a student can start at them."""

import numpy as np
import paddle
import pytest

from inflate_shrink.config import DataConfig, DistillConfig
from inflate_shrink.data.batches import epoch_batches
from inflate_shrink.data.tokenized import open_training_data
from inflate_shrink.engine.checkpoint import new_model, open_checkpoint
from inflate_shrink.engine.encode import encode_texts
from inflate_shrink.engine.steps import distill
from inflate_shrink.engine.targets import FactorisedTargets
from inflate_shrink.engine.teacher import Teacher
from inflate_shrink.errors import InputError
from inflate_shrink.scoring import Fragments

MASKED = "model.score_padding=masked"


@pytest.fixture(scope="module")
def data(tiny_data):
    return open_training_data(DataConfig(dir=str(tiny_data)), 8)


@pytest.fixture(scope="module")
def prepared(data, trained, tmp_path_factory):
    teacher = Teacher(DistillConfig(), open_checkpoint(trained(MASKED)))
    teacher.prepare(data, tmp_path_factory.mktemp("cache") / "teacher_fragments", lambda line: None)
    return teacher, FactorisedTargets(teacher, data, 16, 0, lambda line: None)


def test_products_order_images_as_the_teacher_does(prepared, data):
    teacher, targets = prepared
    assert targets.texts.shape == (len(data.train.ids), 16) and targets.images.shape == (24, 16)
    np.testing.assert_allclose(np.linalg.norm(targets.texts, axis=1), 1, rtol=1e-5)
    batch = next(epoch_batches(data.store, data.train, 24, seed=0, epoch=0))
    exact = teacher.scores(batch).numpy()
    found = targets.images[batch.images] @ targets.texts[batch.captions].T
    rho = [np.corrcoef(exact[:, text], found[:, text])[0, 1] for text in range(24)]
    assert np.mean(rho) > 0.8


def test_the_distance_is_by_hand(prepared, data):
    targets = prepared[1]
    batch = next(epoch_batches(data.store, data.train, 8, seed=0, epoch=0))
    sides = [
        paddle.to_tensor(each).unsqueeze(1) for each in (targets.texts[batch.captions], targets.images[batch.images])
    ]
    text, image = map(Fragments, sides)
    assert float(targets.distance(batch, text, image)) == pytest.approx(0, abs=1e-4)
    opposite = Fragments(-image.vectors)
    assert float(targets.distance(batch, text, opposite)) == pytest.approx(2 * 8, abs=1e-3)


def test_a_student_that_pools_starts_near_its_targets(prepared, data, tiny_config):
    targets = prepared[1]
    paddle.seed(0)
    model = new_model(tiny_config("model.fragments=1", "model.vector=mean"), data.tokenizer.vocab_size, data.region_dim)
    model.eval()

    def mean_cosine():
        return (encode_texts(model, data.train.ids).vectors[:, 0].numpy() * targets.texts).sum(1).mean()

    before = mean_cosine()
    targets.start(model, data)
    assert mean_cosine() > max(before, 0.3)


def test_distilling_with_vectors_and_what_it_needs(trained, tiny_config, tmp_path):
    student = ["model.fragments=1", "model.vector=attention", "optim.epochs=1", "distill.vectors=2"]
    teacher = f"distill.teacher={trained(MASKED)}"
    distill(tiny_config(*student, teacher, f"run.dir={tmp_path}/run"))
    assert "2 times the distance to its factorised scores" in (tmp_path / "run" / "train.log").read_text()
    with pytest.raises(InputError, match=r"distill.vectors: needs .* distill.cache_gb"):
        distill(tiny_config(*student, teacher, "distill.cache_gb=0", f"run.dir={tmp_path}/other"))
    with pytest.raises(InputError, match="distill.vectors: needs one process and optim.chunk=0"):
        distill(tiny_config(*student, teacher, "optim.chunk=4", f"run.dir={tmp_path}/other"))


def test_a_pooled_teacher_is_no_start_of_another_pooling(trained, tiny_config, tmp_path):
    pooled = trained("model.fragments=1", "model.vector=mean")
    for init, teacher in (("teacher", pooled), (pooled, trained(MASKED))):
        student = [f"model.init={init}", f"distill.teacher={teacher}", "model.fragments=1", f"run.dir={tmp_path}/run"]
        with pytest.raises(InputError, match="model.vector is slot, but mean in the .* whose weights it takes"):
            distill(tiny_config(*student))
