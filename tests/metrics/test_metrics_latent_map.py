"""Maps repeat to the last bit, and the measures of separation find what was put in."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from pipeline.metrics.latent_map import NEIGHBOURS, separation, tsne


def clusters(classes=4, each=25, spread=0.1):
    random = np.random.default_rng(0)
    centres = 3 * np.eye(classes, 6)
    labels = np.repeat(np.arange(classes), each)
    return (centres[labels] + spread * random.standard_normal((classes * each, 6))).astype(np.float32), labels


def test_the_same_seed_gives_the_same_map_and_clusters_stay_apart():
    latents, labels = clusters()
    first, again = tsne(latents, 0), tsne(latents, 0)
    assert first.dtype == np.float32 and first.tobytes() == again.tobytes()
    assert separation(first, labels, 0)["knn_accuracy"] == 1.0


def test_separated_classes_are_perfect_and_shuffled_labels_are_chance():
    latents, labels = clusters()
    assert separation(latents, labels, 0) == {
        "knn_accuracy": 1.0, "silhouette": pytest.approx(0.93, abs=0.05), "adjusted_rand_index": pytest.approx(1.0)
    }  # fmt: skip
    shuffled = separation(latents, np.random.default_rng(1).permutation(labels), 0)
    assert shuffled["knn_accuracy"] < 0.45 and abs(shuffled["adjusted_rand_index"]) < 0.1


def test_a_point_does_not_vote_for_itself():
    latents, labels = clusters(spread=3.0)
    _, found = cKDTree(latents).query(latents, NEIGHBOURS + 1)
    votes = [
        np.bincount(labels[row[1:]], minlength=4).argmax() == label for row, label in zip(found, labels, strict=True)
    ]
    assert separation(latents, labels, 0)["knn_accuracy"] == pytest.approx(np.mean(votes))
