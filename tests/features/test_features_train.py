from dataclasses import replace

import pytest
import torch

from pipeline.data.errors import DataError
from pipeline.data.store import DataSet
from pipeline.features.classifier import WEIGHTS, Classifier
from pipeline.features.settings import Layout, Training
from pipeline.features.train import ClassifierTrainee, accuracy, train
from pipeline.runtime import history, weights
from pipeline.runtime.context import Context, silent

LAYOUT = Layout("classifier", width=4, dimensions=8, channels=3, size=16, classes=2)
TRAINING = Training(epochs=4, batch=16, learning_rate=0.01, weight_decay=0.01, noise=0.05, seed=0)


@pytest.fixture
def run(images, cpu, tmp_path):
    def run(name="out", log=silent, scratch="scratch", data=images):
        output = tmp_path / name
        output.mkdir()
        train(data, output, LAYOUT, TRAINING, "fp32", Context(cpu, tmp_path / scratch, log))
        return output

    return run


def test_the_network_of_the_recipe():
    """Three blocks of 24, 48 and 96 channels and 64 features of a 32x32 colour image; 28x28 leaves a single place."""
    recipe = Layout("classifier", width=24, dimensions=64, channels=3, size=32, classes=10)
    network = Classifier(recipe)
    convolutions = 3 * 24 * 9 + 24 * 48 * 9 + 48 * 96 * 9
    assert sum(p.numel() for p in network.parameters()) == convolutions + 2 * (24 + 48 + 96) + 384 * 64 + 64 + 650
    features, logits = network(torch.zeros(2, 3, 32, 32))
    assert features.shape == (2, 64) and logits.shape == (2, 10) and (features >= 0).all()
    grey = Classifier(replace(recipe, channels=1, size=28))
    assert grey(torch.zeros(2, 1, 28, 28))[1].shape == (2, 10)


def test_it_learns_what_can_be_learnt(run, images):
    output = run()
    rows = history.read(output / "history.csv")
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]
    model = Classifier(LAYOUT)
    model.load_state_dict(weights.load(output, WEIGHTS))
    assert rows[-1]["test_accuracy"] == accuracy(model, images, "test", "fp32") == 1


def test_a_killed_training_continues_to_the_same_bytes(run, monkeypatch):
    monkeypatch.setenv("PIPELINE_CHECKPOINT_SECONDS", "0")
    undisturbed, epochs = run(scratch="other"), []

    def kill(seed, epoch, row):
        if epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("killed", log=kill)
    resumed = run("resumed", log=lambda seed, epoch, row: epochs.append(epoch))
    assert epochs == [3, 4]
    for file in undisturbed.iterdir():
        assert file.read_bytes() == (resumed / file.name).read_bytes(), file.name


def test_gradients_in_bf16_are_those_of_fp32_within_a_tenth(images):
    gradients = {}
    for precision in ("fp32", "bf16"):
        trainee = ClassifierTrainee(images, LAYOUT, replace(TRAINING, batch=60), precision)
        trainee.advance(1)  # a single step, whose gradients stay
        gradients[precision] = torch.cat([p.grad.flatten() for p in trainee.model.parameters()])
        assert all(p.dtype == p.grad.dtype == torch.float32 for p in trainee.model.parameters())
        assert trainee.model.body[1].running_var.dtype == torch.float32
    difference = (gradients["bf16"] - gradients["fp32"]).norm() / gradients["fp32"].norm()
    assert 1e-4 < difference < 0.1


def test_a_training_in_bf16_ends_close_to_fp32(images):
    ends = {}
    for precision in ("fp32", "bf16"):
        trainee = ClassifierTrainee(images, LAYOUT, TRAINING, precision)
        for epoch in (1, 2, 3, 4):
            trainee.advance(epoch)
        ends[precision] = trainee.measure(4)[0]
    assert ends["bf16"]["train_loss"] == pytest.approx(ends["fp32"]["train_loss"], abs=0.03)
    assert ends["bf16"]["test_accuracy"] == pytest.approx(ends["fp32"]["test_accuracy"], abs=0.05)


def test_a_set_without_labels_is_refused(images, run):
    unlabelled = DataSet(images.card, images.images, {})
    with pytest.raises(DataError, match="dots has no labels to train a classifier on; set its network to inception"):
        run(data=unlabelled)
