"""Every stage that takes a device, on a GPU: the one that `PIPELINE_DEVICE` names, or a pretended one.

Each training writes the same bytes when it is killed and resumed, and when its steps are not recorded.
"""

import pytest
from gpu import small
from gpu.compare import must_be_finite

from pipeline.features.build import build
from pipeline.gan.score import score as score_gan
from pipeline.gan.train import train as train_gan
from pipeline.simsiam.score import score as score_simsiam
from pipeline.simsiam.train import train as train_simsiam
from pipeline.vae.likelihood import score as likelihood
from pipeline.vae.samples import score as score_samples
from pipeline.vae.train import train as train_vae


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("network", "precision"), [("classifier", "fp32"), slow("resnet", "fp32"), slow("classifier", "bf16")]
)
def test_evaluators(thrice, data, network, precision):
    must_be_finite(thrice(build, data, small.evaluation(network, precision)))


@pytest.mark.parametrize(
    ("network", "likelihood_name", "flow_layers", "kl", "precision"),
    [
        ("mlp", "gaussian", 0, "analytic", "fp32"),
        slow("conv32", "gaussian_standardised", 2, "analytic", "fp32"),
        slow("conv32", "gaussian", 0, "monte_carlo", "bf16"),
    ],
)
def test_autoencoders(
    thrice, once, data, evaluator, monkeypatch, network, likelihood_name, flow_layers, kl, precision
):  # fmt: skip
    model = thrice(train_vae, data, small.autoencoder(network, likelihood_name, flow_layers, kl, precision))
    monkeypatch.setattr("pipeline.vae.likelihood.WEIGHTS", 100)  # a checkpoint every ten images
    must_be_finite(thrice(likelihood, data, model, small.LIKELIHOOD))
    must_be_finite(once(score_samples, data, model, evaluator, small.SAMPLES))


@pytest.mark.slow
def test_an_autoencoder_that_enlarges_bilinearly(thrice, tmp_path):
    binary = small.noise(tmp_path / "binary", side=28, channels=1, levels=2)
    thrice(train_vae, binary, small.autoencoder("conv", "bernoulli"))


@pytest.mark.parametrize(
    ("network", "spectral_norm", "penalty", "normalisation", "precision"),
    [
        ("mlp", True, "none", "batch", "fp32"),
        slow("mlp", False, "r2", "batch", "fp32"),
        slow("residual", True, "r1", "standing", "fp32"),
        slow("resnet", False, "gp", "batch", "fp32"),
        slow("dcgan", False, "lp", "standing", "fp32"),
        slow("dcgan", True, "r1", "standing", "bf16"),
    ],
)
def test_gans(thrice, once, data, evaluator, network, spectral_norm, penalty, normalisation, precision):
    model = thrice(train_gan, data, small.adversaries(network, spectral_norm, penalty, precision))
    must_be_finite(once(score_gan, data, model, evaluator, small.adversaries_scored(normalisation, precision)))


@pytest.mark.parametrize(
    ("stem", "predictor", "precision"),
    [("halving", "mlp", "fp32"), slow("imagenet", "identity", "fp32"), slow("halving", "fixed", "bf16")],
)
def test_simsiam(thrice, once, data, stem, predictor, precision):
    model = thrice(train_simsiam, data, small.twins(stem, predictor, precision))
    must_be_finite(once(score_simsiam, data, model, small.twins_scored(precision)))
