from dataclasses import replace

import pytest
import torch

from pipeline.data.errors import DataError
from pipeline.data.store import DataSet
from pipeline.features.classifier import WEIGHTS, Classifier
from pipeline.features.settings import Layout, Training
from pipeline.features.train import ClassifierTrainee, accuracy, crop_flip, train
from pipeline.runtime import history, weights
from pipeline.runtime.context import Context

LAYOUT = Layout("classifier", width=4, dimensions=8, channels=3, size=16, classes=2)
TRAINING = Training(epochs=4, batch=16, learning_rate=0.01, weight_decay=0.01, noise=0.05, augment="none", seed=0)


@pytest.fixture
def run(images, cpu, tmp_path):
    def run(data=images):
        output = tmp_path / "out"
        output.mkdir()
        train(data, output, LAYOUT, TRAINING, "fp32", Context(cpu, tmp_path / "scratch"))
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


def test_shifted_and_mirrored_images_are_cut_from_their_reflections():
    images = torch.rand(200, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    changed = crop_flip(images, torch.Generator().manual_seed(1))
    padded = torch.nn.functional.pad(images, [4] * 4, mode="reflect")
    windows = padded.unfold(2, 16, 1).unfold(3, 16, 1).permute(0, 2, 3, 1, 4, 5)  # (n, 9, 9, c, 16, 16)
    plain, mirrored = ((windows == found[:, None, None]).flatten(3).all(-1) for found in (changed, changed.flip(-1)))
    assert torch.equal((plain | mirrored).flatten(1).sum(1), torch.ones(200, dtype=torch.int64))
    assert 70 < mirrored.any(1).any(1).sum() < 130
    assert (plain | mirrored).any(0).sum() > 70  # of 81 shifts


def test_a_residual_classifier_learns_too(images):
    resnet = replace(LAYOUT, network="resnet")
    trainee = ClassifierTrainee(images, resnet, replace(TRAINING, epochs=8), "bf16")
    for epoch in range(1, 9):
        trainee.advance(epoch)
    assert trainee.measure(8)[0]["test_accuracy"] > 0.9
    assert Classifier(replace(resnet, channels=1, size=28))(torch.zeros(2, 1, 28, 28))[0].shape == (2, 8)


def test_images_whose_sides_decide_are_not_learnt_from_mirrored_ones(images):
    trainee = ClassifierTrainee(images, LAYOUT, replace(TRAINING, augment="crop_flip"), "fp32")
    for epoch in range(1, 5):
        trainee.advance(epoch)
    assert trainee.measure(4)[0]["train_accuracy"] < 0.75
