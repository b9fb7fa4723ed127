import pytest
import torch

from pipeline.data.errors import DataError
from pipeline.data.store import DataSet
from pipeline.features.classifier import Classifier
from pipeline.features.train import accuracy, fit
from pipeline.runtime import checkpoint

SETTINGS = {"channels": 3, "size": 16, "width": 4, "dimensions": 8, "classes": 2}
TRAINING = {"epochs": 4, "batch": 16, "learning_rate": 0.01, "weight_decay": 0.01, "noise": 0.05, "seed": 0}


@pytest.fixture
def train(images, cpu, tmp_path):
    def run(log=lambda *row: None, scratch=tmp_path / "scratch"):
        return fit(images, SETTINGS, device=cpu, scratch=scratch, log=log, **TRAINING)

    return run


def test_the_network_of_the_recipe():
    """Three blocks of 24, 48 and 96 channels and 64 features of a 32x32 colour image; 28x28 leaves a single place."""
    network = Classifier(channels=3, size=32, width=24, dimensions=64, classes=10)
    convolutions = 3 * 24 * 9 + 24 * 48 * 9 + 48 * 96 * 9
    assert sum(p.numel() for p in network.parameters()) == convolutions + 2 * (24 + 48 + 96) + 384 * 64 + 64 + 650
    features, logits = network(torch.zeros(2, 3, 32, 32))
    assert features.shape == (2, 64) and logits.shape == (2, 10) and (features >= 0).all()
    assert Classifier(channels=1, size=28, width=24, dimensions=64, classes=10)(torch.zeros(2, 1, 28, 28))[1].shape == (
        2,
        10,
    )


def test_it_learns_what_can_be_learnt(train, images):
    model, rows = train()
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]
    assert rows[-1]["test_accuracy"] == accuracy(model, images, "test", chunk=7) == 1
    assert not model.training


def test_a_killed_training_goes_on_to_the_same_bits(train, monkeypatch, tmp_path):
    undisturbed, rows = train(scratch=tmp_path / "other")
    monkeypatch.setattr(checkpoint, "SECONDS", 0)

    def kill(seed, epoch, row):
        if epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(log=kill)
    epochs = []
    resumed, again = train(log=lambda seed, epoch, row: epochs.append(epoch))
    assert epochs == [3, 4]
    assert again == rows
    for name, value in undisturbed.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_set_without_labels_is_refused(images, cpu, tmp_path):
    unlabelled = DataSet(images.card, images.images, {})
    with pytest.raises(DataError, match="dots has no labels to train a classifier on; set its network to inception"):
        fit(unlabelled, SETTINGS, device=cpu, scratch=tmp_path, log=lambda *row: None, **TRAINING)
