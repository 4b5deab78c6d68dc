"""The cross-BERT: what it sees, its hard negatives, training, as a teacher."""

import numpy as np
import paddle
import pytest

from inflate_shrink.config import LossConfig
from inflate_shrink.data.batches import epoch_batches
from inflate_shrink.data.tokenized import open_training_data
from inflate_shrink.engine import cross, teacher
from inflate_shrink.engine.batch_scores import Execution
from inflate_shrink.engine.checkpoint import new_model, open_checkpoint
from inflate_shrink.engine.cross import embed_images, embed_texts, match_all, match_pairs
from inflate_shrink.engine.evaluate import evaluate, evaluate_checkpoint
from inflate_shrink.engine.objectives import MatchingObjective, training_objective
from inflate_shrink.engine.precision import Precision
from inflate_shrink.engine.steps import distill
from inflate_shrink.errors import InputError
from inflate_shrink.losses.matching import matching_loss


@pytest.fixture(scope="module")
def setting(tiny_config):
    """A cross-BERT with random weights, its data and config."""
    config = tiny_config("model.scoring=cross")
    data = open_training_data(config.data, 8)
    paddle.seed(3)
    model = new_model(config, data.tokenizer.vocab_size, data.region_dim)
    for parameter in model.parameters():
        parameter.set_value(parameter + 0.3 * paddle.randn(parameter.shape))
    model.eval()
    return config, data, model


@pytest.fixture(scope="module")
def embedded(setting):
    _, data, model = setting
    return embed_texts(model, data.val.ids), embed_images(model, data.store, data.val.split.image_rows)


def test_loss_by_hand():
    loss = matching_loss(paddle.to_tensor([0.0, 2.0]), paddle.to_tensor([0.0, -1.0, 1.0, 0.0]))
    positive, negative = np.log1p(np.exp([0, -2.0])).sum(), np.log1p(np.exp([0.0, -1, 1, 0])).sum()
    assert float(loss) == pytest.approx(positive + 0.5 * negative, rel=1e-6)


def test_a_pair_is_scored_by_itself_however_it_is_batched(setting, embedded, monkeypatch):
    _, _, model = setting
    scores = match_all(model, *embedded)
    assert scores.shape == (8, 40) and scores.std() > 0.01
    for t, i in ((0, 0), (39, 7), (17, 3)):
        alone = match_pairs(model, *embedded, np.array([t]), np.array([i]))
        np.testing.assert_allclose(scores[i, t], alone[0], atol=1e-5)
    monkeypatch.setattr(cross, "PAIRS", 7)
    np.testing.assert_allclose(match_all(model, *embedded), scores, atol=1e-5)


def test_words_and_regions_see_each_other(setting, embedded):
    """In a dual encoder the best image is one for all; here the order of images depends on the text beyond a sum of two parts."""
    _, _, model = setting
    scores = match_all(model, *embedded)
    parts = scores - scores.mean(0) - scores.mean(1, keepdims=True) + scores.mean()
    assert np.abs(parts).max() > 1e-3


def test_padding_does_not_matter(setting, embedded):
    _, data, model = setting
    longer = embed_texts(model, np.pad(data.val.ids, ((0, 0), (0, 5))))
    np.testing.assert_allclose(match_all(model, longer, embedded[1]), match_all(model, *embedded), atol=1e-5)


@pytest.mark.parametrize("candidates", [1, 3, "all", 99])
def test_hard_negatives_are_the_best_of_the_candidates(setting, candidates):
    _, data, model = setting
    batch = next(epoch_batches(data.store, data.train, 8, 0, 0))
    batch = batch._replace(images=np.array([0, 1, 1, 2, 3, 4, 5, 6]))  # captions 1 and 2 are of one image
    with paddle.no_grad():
        text, image = cross.embed_batch(model, batch)
    scores, n = match_all(model, text, image).T, 8  # (texts, images)
    objective = MatchingObjective(LossConfig(candidates=candidates))
    texts, images = objective._hard_negatives(model, text, image, batch.images[:, None] == batch.images)
    shown = min(candidates, 7) if candidates != "all" else 7
    for t, i in zip(texts[: len(texts) // 2], images):  # for each text, its image
        allowed = [(t + 1 + s) % n for s in range(shown) if batch.images[(t + 1 + s) % n] != batch.images[t]]
        assert i in allowed and scores[t, i] == pytest.approx(max(scores[t, allowed]), abs=1e-5)
    for t, i in zip(texts[len(texts) // 2 :], images[len(texts) // 2 :]):
        allowed = [(i - 1 - s) % n for s in range(shown) if batch.images[(i - 1 - s) % n] != batch.images[i]]
        assert t in allowed and scores[t, i] == pytest.approx(max(scores[allowed, i]), abs=1e-5)
    assert len(texts) == (16 if shown > 1 else 14)  # with one candidate, text 1 and image 2 have none


def test_all_weights_get_a_gradient(setting):
    config, data, _ = setting
    model = new_model(config, data.tokenizer.vocab_size, data.region_dim)
    batch = next(epoch_batches(data.store, data.train, 8, 0, 0))
    training_objective(config)(model, batch, Execution(Precision(config.amp)), 0).value.backward()
    assert not [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum()]


def test_a_joint_model_alternates(tiny_config, setting):
    config, data = tiny_config("model.joint=true"), setting[1]
    model = new_model(config, data.tokenizer.vocab_size, data.region_dim)
    batch = next(epoch_batches(data.store, data.train, 8, 0, 0))
    shapes = [
        training_objective(config)(model, batch, Execution(Precision(config.amp)), step).scores.shape
        for step in (0, 1, 2)
    ]
    assert shapes[0] == shapes[2] == [8, 8] and len(shapes[1]) == 1


@pytest.fixture(scope="module")
def trained_cross(trained):
    return trained("model.scoring=cross", "model.dropout=0", "loss.candidates=3", "optim.lr=1e-2")


def test_training_and_evaluation(trained_cross, tiny_data):
    checkpoint = open_checkpoint(trained_cross)
    result = evaluate_checkpoint(checkpoint, tiny_data, "test", images=4)
    assert (result["images"], result["captions"]) == (4, 20)
    assert result["cost"]["pairs"] == 80 and result["cost"]["pairs_of_split"] == 500


def test_validation_on_the_first_images(tiny_config, trained, setting):
    run = trained("run.val_images=3")
    history = open_checkpoint(run).state["history"]
    assert (history[-1]["images"], history[-1]["captions"]) == (3, 15)
    data = setting[1]
    expected = evaluate(open_checkpoint(run).load_model(), data.store, data.val.first_images(3))
    assert history[-1]["rsum"] == pytest.approx(expected["rsum"])


def test_cross_teacher(tiny_config, trained_cross, tmp_path, capsys):
    config = tiny_config(
        "optim.epochs=1", "model.fragments=1", f"distill.teacher={trained_cross}", f"run.dir={tmp_path / 'C-F'}"
    )
    distill(config)
    said = "teacher: a cross-BERT, which scores 64 pairs of each batch anew: 0.0 hours of this training"
    assert said in capsys.readouterr().out
    assert open_checkpoint(tmp_path / "C-F").state["finished"]
    assert not (tmp_path / "C-F" / "teacher_fragments").exists()


def test_a_bi_encoder_has_no_cross_scores(trained, tiny_data):
    with pytest.raises(InputError, match="a bi-encoder, which does not score pairs"):
        evaluate_checkpoint(open_checkpoint(trained()), tiny_data, "test", cross=True)


def test_the_hours_of_a_cross_teacher_say_what_a_smaller_batch_saves(tiny_config, trained_cross, setting, monkeypatch):
    """A pass of 32 * 32 pairs takes 9 seconds: 3 batches an epoch, 200 epochs, 5400 seconds."""
    config, data = tiny_config(f"distill.teacher={trained_cross}"), setting[1]
    config.optim.batch_size, config.optim.epochs = 32, 200
    times = iter([0.0, 100.0, 104.5])
    monkeypatch.setattr(teacher.time, "perf_counter", lambda: next(times))
    line = teacher.Teacher(config.distill, open_checkpoint(trained_cross)).cost(data, config.optim)
    assert line == (
        "teacher: a cross-BERT, which scores 1024 pairs of each batch anew: 1.5 hours of this training;"
        " -o optim.batch_size=16 optim.accumulate=2 scores one in 2 of them"
    )
