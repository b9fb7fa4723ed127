"""Settings of trainings and scores that take a second, and a data set of noise."""

import json

import numpy as np

from pipeline.features import settings as features
from pipeline.gan import settings as gan
from pipeline.simsiam import settings as simsiam
from pipeline.vae import settings as vae

COUNT = 40  # images of each split


def noise(folder, side=16, channels=3, levels=256):
    """Write a data set of two classes of random images, darker and brighter ones."""
    folder.mkdir()
    random, shape = np.random.default_rng(0), [channels, side, side]
    for split in ("train", "test"):
        labels = np.arange(COUNT) % 2
        images = random.integers(0, levels, (COUNT, *shape), dtype=np.uint8)
        images = np.where(labels[:, None, None, None], images, images // 4).astype(np.uint8)
        np.save(folder / f"{split}_images.npy", images)
        np.save(folder / f"{split}_labels.npy", labels)
    counts = {"train": COUNT, "test": COUNT}
    card = {"name": "noise", "levels": levels, "counts": counts, "shape": shape, "classes": ["a", "b"]}
    (folder / "card.json").write_text(json.dumps(card))
    return folder


def evaluation(network="classifier", precision="fp32"):
    """Return the settings of an evaluator."""
    return features.Evaluation(
        network, None, features.Architecture(width=4, dimensions=8),
        features.Training(
            epochs=3, batch=16, learning_rate=0.01, weight_decay=0.01, noise=0.05, augment="crop_flip", seed=0
        ),
        precision, reference="test",
        reference_classes=(), samples=30,
        scoring=features.Scoring(splits=2, kid_subsets=2, kid_subset_size=20, neighbours=3),
    )  # fmt: skip


def autoencoder(network="mlp", likelihood="gaussian", flow_layers=0, kl="analytic", precision="fp32"):
    """Return the settings of an autoencoder whose beta rises from epoch to epoch; the last batch is a smaller one."""
    return vae.Training(
        vae.Network(network, 8, 4, "gaussian", flow_layers, 0.0),
        vae.Objective(likelihood, 1.0, "linear", kl, 2 if kl == "monte_carlo" else None),
        vae.Optimiser(learning_rate=1e-2, clip_norm=1.0),
        vae.Schedule(epochs=5, batch=16, snapshots=(1,), seeds=(0,)),
        precision,
    )


LIKELIHOOD = vae.Scoring(importance_samples=(1, 10), elbo_samples=2, batch=20, tsne=False)
SAMPLES = vae.SampleScoring(count=30)


def adversaries(network="mlp", spectral_norm=False, penalty="r1", precision="fp32"):
    """Return the settings of a GAN with all that changes from step to step: rates, penalty, decay of the average."""
    adam = gan.Optimiser(learning_rate=1e-2, betas=(0.5, 0.9), weight_decay=1e-4, decay_steps=50)
    return gan.Training(
        gan.Network(network, 4, 8, spectral_norm),
        gan.Objective("jsd", penalty, 0.5, 2, "usual", "image"),
        adam, adam, gan.Averaging(0.9, ema_warmup=True),
        gan.Schedule(steps=8, critic_steps=2, batch=8, seeds=(0,), log_every=2, snapshots=(0,)),
        precision,
    )  # fmt: skip


def adversaries_scored(normalisation="standing", precision="fp32"):
    """Return the settings of the scores of a GAN."""
    return gan.Scoring(
        24, COUNT, gan.Sampling(normalisation, 2, precision),
        gan.Studies(
            perturbed_dimensions=2, shown_dimensions=(0,), perturbation_scales=(1.0,), perturbed_latents=5,
            interpolation_pairs=24,
        ),
    )  # fmt: skip


AUGMENTATION = simsiam.Augmentation((0.5, 1.0), 180.0, 0.5, (0.4, 0.4, 0.4, 0.1), 0.8, 0.2)
MONITOR = simsiam.Monitor("projector", 5, 0.1)


def twins(stem="halving", predictor="mlp", precision="fp32"):
    """Return the settings of SimSiam, whose learning rate falls from epoch to epoch."""
    return simsiam.Training(
        simsiam.Network(
            backbone="resnet10", width=2, stem=stem, projector_hidden=8, projector_output=6, predictor=predictor,
            predictor_hidden=None if predictor == "identity" else 5, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25),
        ),
        AUGMENTATION, stop_gradient=True, epochs=3, batch=16, optimiser=simsiam.Optimiser(0.4, 0.9, 5e-4),
        precision=precision, monitor=MONITOR, seeds=(0,),
    )  # fmt: skip


def twins_scored(precision="fp32"):
    """Return the settings of the scores of SimSiam."""
    return simsiam.Scoring(AUGMENTATION, precision, MONITOR, probe_l2=1e-2)
