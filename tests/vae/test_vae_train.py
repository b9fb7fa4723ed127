import pytest
import torch

from pipeline.data import store
from pipeline.runtime import history
from pipeline.runtime.errors import UserError
from pipeline.runtime.seeding import generator
from pipeline.vae import model as models
from pipeline.vae.observation import Observation
from pipeline.vae.train import VaeTrainee, losses, train

GREY, COLOUR = (1, 28, 28), (3, 32, 32)


@pytest.mark.parametrize(
    ("posterior", "beta"),
    [("gaussian", 0.8), ("gaussian", None), ("mean", 0.8), ("mean", None), ("deterministic", None)],
)
def test_the_loss_is_reconstruction_plus_beta_kl(build, posterior, beta):
    model = build("mlp_shallow", COLOUR, likelihood="gaussian", posterior=posterior, logit_shift=0.0)
    x = 2 * torch.rand(6, *COLOUR, generator=generator("x")) - 1
    noise = torch.randn(6, 5, generator=generator("noise")) if posterior == "gaussian" else None
    q = model.posterior(x)
    z = q.mean if noise is None else q.mean + torch.exp(q.logvar / 2) * noise
    outputs = model.decoder(z).view(x.shape)
    expected = ((x - outputs) ** 2).sum((1, 2, 3))  # over pixels; the mean is over images alone
    if beta:
        expected = expected - beta * 0.5 * (1 + q.logvar - q.mean**2 - q.logvar.exp()).sum(1)
    torch.testing.assert_close(losses(model, x, beta, noise), expected)


def test_the_loss_of_a_flow_posterior_is_minus_the_elbo_of_its_sample(build):
    model = build(flow_layers=2)
    x = (torch.rand(6, *GREY, generator=generator("x")) < 0.3).float()
    noise = torch.randn(6, 5, generator=generator("noise"))
    loss = losses(model, x, 1.0, noise)
    z, ratio = model.posterior(x).sample(noise)
    torch.testing.assert_close(loss, ratio - model.log_likelihood(x, z[:, None]).squeeze(1))
    loss.sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.parameters())


def trainee(strokes, describe, settings):
    data = store.load(strokes, "cpu")
    observation = Observation.of(settings.objective.likelihood, data)
    return VaeTrainee(0, data, models.VaeDescription(settings.network, GREY, observation, settings.precision), settings)


@pytest.mark.parametrize(
    ("changes", "tensors"),
    [
        ({}, [(20, 5)]),
        ({"kl": "monte_carlo", "kl_samples": 7}, [(20, 5), (7, 20, 5)]),
        ({"kl": "monte_carlo", "kl_samples": 7, "beta": 0.0}, [(20, 5)]),
        ({"posterior": "mean", "kl": None}, []),
        ({"posterior": "deterministic", "beta": None, "beta_schedule": None, "kl": None}, []),
    ],
)
def test_a_step_is_given_all_random_numbers_and_the_weight_of_kl(strokes, describe, training, changes, tensors):
    """What a recording of a step would freeze is an argument of it, or constant."""
    worker, calls = trainee(strokes, describe, training(**changes)), []
    plain = worker._step

    def step(with_kl, index, beta, *noise):
        calls.append((with_kl, len(index), beta.item(), [tuple(each.shape) for each in noise]))
        return plain(with_kl, index, beta, *noise)

    worker._step = step
    worker.advance(1)
    beta = changes.get("beta", 1.0)
    assert len(calls) == 7 and calls[0] == (bool(beta), 20, beta or 0.0, tensors)
    assert calls[-1][1] == 10  # the last, smaller batch


def test_a_linear_schedule_reaches_the_step_as_a_tensor(strokes, describe, training):
    worker, weights = trainee(strokes, describe, training(beta=0.6, beta_schedule="linear")), []
    plain = worker._step
    worker._step = lambda with_kl, index, beta, *noise: (
        weights.append((with_kl, beta.item())) or plain(with_kl, index, beta, *noise)
    )
    for epoch in (1, 2, 3):
        worker.advance(epoch)
    assert [each[0] for each in weights[::7]] == [False, True, True]
    assert [each[1] for each in weights[::7]] == pytest.approx([0.0, 0.2, 0.4])


def test_gradients_are_clipped_to_their_common_norm(strokes, describe, training):
    worker = trainee(strokes, describe, training(clip_norm=0.5))
    worker.advance(1)
    norms = torch.stack([parameter.grad.norm() for parameter in worker.model.parameters()])
    assert norms.norm().item() == pytest.approx(0.5, rel=1e-4)


@pytest.mark.parametrize("changes", [{}, {"network": "conv"}, {"flow_layers": 4}], ids=str)
def test_gradients_in_bfloat16_point_where_those_in_single_precision_do(strokes, describe, training, changes):
    """Within 2 % of their norm, for every parameter together: bfloat16 has 8 bits of significand."""

    def gradient(precision):
        worker = trainee(strokes, describe, training(precision, hidden=32, **changes))
        x = worker.model.observation.scale(worker.images[:50])
        noise = torch.randn(50, 5, generator=generator("noise"))
        losses(worker.model, x, 1.0, noise).mean().backward()
        return torch.cat([parameter.grad.flatten() for parameter in worker.model.parameters()])

    exact, rounded = gradient("fp32"), gradient("bf16")
    assert rounded.dtype == torch.float32 and not torch.equal(exact, rounded)
    assert (rounded - exact).norm() < 0.02 * exact.norm()


def test_a_short_training_in_bfloat16_ends_where_one_in_single_precision_does(strokes, training, context, tmp_path):
    """Within 2 % of the loss, and an order of magnitude closer than training has come."""
    rows = {}
    for precision in ("fp32", "bf16"):
        (output := tmp_path / precision).mkdir()
        settings = training(precision, hidden=32, epochs=20, batch=10)
        train(strokes, output, settings, type(context)(context.device, tmp_path / f"{precision}_scratch"))
        rows[precision] = history.read(output / "history.csv")
    first, exact, rounded = rows["fp32"][0], rows["fp32"][-1], rows["bf16"][-1]
    for name in ("train_loss", "valid_loss", "test_elbo"):
        assert rounded[name] != exact[name]
        assert rounded[name] == pytest.approx(exact[name], rel=0.02)
        assert abs(exact[name] - first[name]) > 10 * abs(rounded[name] - exact[name])


def test_training_writes_what_scoring_reads(strokes, training, context, tmp_path):
    (output := tmp_path / "model").mkdir()
    train(strokes, output, training(seeds=(3, 1), snapshots=(0, 2)), context)
    assert [(row["seed"], row["epoch"]) for row in history.read(output / "history.csv")] == [
        (seed, epoch) for seed in (1, 3) for epoch in (1, 2, 3)
    ]
    assert list(models.load(output, context.device)) == [1, 3]
    assert models.snapshots(output) == [0, 2]
    untrained, earlier, trained = (models.load(output, context.device, epoch)[1] for epoch in (0, 2, None))
    for one, other in ((untrained, earlier), (earlier, trained)):
        assert not torch.equal(one.encoder[1].weight, other.encoder[1].weight)


def test_a_training_that_diverges_ends_with_a_sentence(strokes, training, context, tmp_path):
    (output := tmp_path / "model").mkdir()
    with pytest.raises(UserError, match=r"a smaller learning_rate or clip_norm keeps it in bounds"):
        train(strokes, output, training(learning_rate=1e4), context)
