"""Mistakes that only a GPU would show, planted one at a time: the pretended one shows each of them."""

import os

import pytest
import torch
from gpu import small
from gpu.compare import DifferentError
from torch.nn import functional as F

from pipeline.gan import model as gan_model
from pipeline.gan import network as gan_network
from pipeline.gan import score as gan_score
from pipeline.gan import train as gan
from pipeline.gan import trainer
from pipeline.gan.average import Average
from pipeline.gan.trainer import Trainer, points_of
from pipeline.runtime import weights
from pipeline.runtime.adam import Adam
from pipeline.runtime.captured import Captured
from pipeline.runtime.checkpoint import Checkpoint
from pipeline.simsiam import score as simsiam_score
from pipeline.simsiam import train as simsiam
from pipeline.vae import likelihood
from pipeline.vae import train as vae

MIXED = "tensors on cpu and on cuda"
READ = "reads from the device"


def train_vae(once, thrice, data, evaluator):
    thrice(vae.train, data, small.autoencoder())


def score_vae(once, thrice, data, evaluator):
    thrice(likelihood.score, data, once(vae.train, data, small.autoencoder()), small.LIKELIHOOD)


def train_gan(once, thrice, data, evaluator):
    thrice(gan.train, data, small.adversaries(penalty="gp"))


def train_resnet(once, thrice, data, evaluator):
    thrice(gan.train, data, small.adversaries("resnet"))


def score_gan(once, thrice, data, evaluator):
    once(gan_score.score, data, once(gan.train, data, small.adversaries()), evaluator, small.adversaries_scored())


def train_simsiam(once, thrice, data, evaluator):
    thrice(simsiam.train, data, small.twins())


def score_simsiam(once, thrice, data, evaluator):
    once(simsiam_score.score, data, once(simsiam.train, data, small.twins()), small.twins_scored())


def _any():
    return int(torch.randint(1 << 30, ()))


def replaced(owner, name, make):
    """Return a mistake: `name` of `owner` is replaced by what `make` makes of it."""
    return lambda patch: patch.setattr(owner, name, make(getattr(owner, name)))


def in_recorded_step(mistake):
    """Return the mistake of changing the critic's estimates, which are computed inside a recorded step."""
    return replaced(trainer.losses, "w1_estimate", lambda right: lambda real, fake: mistake(right, real, fake))


def tensor_on_the_cpu(patch):
    right = vae.losses
    patch.setattr(vae, "losses", lambda model, x, *rest: right(model, x, *rest) + torch.zeros(len(x)))


def weights_left_on_the_cpu(patch):
    def filled(network, folder, name, device):
        network.load_state_dict(weights.load(folder, name))
        return network.requires_grad_(False)

    patch.setattr(gan_model, "_filled", filled)


def numpy_of_the_device(patch):
    right = simsiam_score.view
    patch.setattr(simsiam_score, "view", lambda *arguments: torch.from_numpy(right(*arguments).numpy()))


def frozen_rate(patch):
    right = Adam.__init__

    def init(self, *arguments, **settings):
        right(self, *arguments, **settings)
        self._lr = float(self._lr)

    patch.setattr(Adam, "__init__", init)


def frozen_interval(patch):
    right = Trainer._improve_critic

    def critic_step(self, real, latents, shares, done):
        self.critic.schedule(done)
        self.due = points_of(self.objective, done)
        return self.improve_critic("any", real, latents, shares)

    patch.setattr(Trainer, "critic_step", critic_step)
    patch.setattr(Trainer, "_improve_critic", lambda self, _, *rest: right(self, self.due, *rest))


def frozen_beta(patch):
    schedule, right, now = vae.beta_at, vae.losses, []

    def beta_at(*arguments):
        now[:] = [schedule(*arguments)]
        return now[0]

    patch.setattr(vae, "beta_at", beta_at)
    patch.setattr(
        vae, "losses", lambda model, x, beta, *noise: right(model, x, None if beta is None else now[0], *noise)
    )


def frozen_decay(patch):
    right, steps = Average.update, {}

    def update(self, step):
        def plain(_):
            right(self, self.step)
            return self._means[0]

        self.step = step
        if self not in steps:
            steps[self] = trainer.captured(plain, self._means[0].device)
        steps[self](None)

    patch.setattr(Average, "update", update)


def kept_result(patch):
    """A step's result is read after the next step has overwritten it."""
    right = Trainer.generator_step

    def generator_step(self, latents, done):
        earlier, self.result = getattr(self, "result", None), right(self, latents, done)
        return self.result if earlier is None else earlier

    patch.setattr(Trainer, "generator_step", generator_step)


def forgotten_shape(patch):
    """A recording is replayed for a smaller batch."""
    patch.setattr(vae, "captured", lambda step, device: _Shapeless(step))


class _Shapeless(Captured):
    def __call__(self, kind, *inputs):
        self._recorded = _OneKey(self._recorded)
        return super().__call__(kind, *inputs)


class _OneKey(dict):
    def __contains__(self, key):
        return any(kind == key[0] for kind, _ in self)

    def __getitem__(self, key):
        return next(value for (kind, _), value in self.items() if kind == key[0])


def restored_to_the_cpu(patch):
    def load(self):
        return torch.load(self.path, weights_only=True) if self.path.exists() else None

    patch.setattr(likelihood, "WEIGHTS", 100)
    patch.setattr(Checkpoint, "load", load)


IMAGES_ON_THE_CPU = replaced(vae.store, "load", lambda right: lambda folder, device: right(folder, "cpu"))
SEEDLESS = replaced(vae, "generator", lambda right: lambda *key, device: torch.Generator(device).manual_seed(_any()))
OF_THE_CPU = replaced(vae, "generator", lambda right: lambda *key, device: right(*key))
RANDOM = replaced(trainer, "interpolate", lambda right: lambda x, y, share: right(x, y, torch.rand_like(share)))
READING = in_recorded_step(lambda right, real, fake: right(real, fake) * real.max().item())
BRANCH = in_recorded_step(lambda right, real, fake: right(real, fake if real.mean() > 0 else 2 * fake))
LIST = in_recorded_step(lambda right, real, fake: right(real, fake) + sum(fake.tolist()))
MASK = in_recorded_step(lambda right, real, fake: right(real[real > 0], fake))
COPY = in_recorded_step(lambda right, real, fake: right(real, fake) * torch.tensor(2.0).to(real.device))
LEFT_ON_THE_CPU = replaced(weights, "load", lambda right: lambda folder, name, device="cpu": right(folder, name))
POOL = replaced(gan_network.SumPool, "forward", lambda _: lambda self, x: F.adaptive_avg_pool2d(x, 2).sum((2, 3)))
NEW_RATE = replaced(
    simsiam, "set_rate", lambda _: lambda group, rate: group.update(lr=torch.full_like(group["lr"], rate))
)

MISTAKES = {
    "a tensor made on the CPU in a step": (train_vae, tensor_on_the_cpu, RuntimeError, MIXED),
    "images left on the CPU": (train_vae, IMAGES_ON_THE_CPU, AssertionError, "computes on cpu"),
    "a generator of the CPU": (train_vae, OF_THE_CPU, RuntimeError, "generator on cpu"),
    "random numbers of no seed": (train_vae, SEEDLESS, DifferentError, "differ"),
    "random numbers in a recorded step": (train_gan, RANDOM, AssertionError, "samples random numbers"),
    "a number read in a recorded step": (train_gan, READING, AssertionError, READ),
    "a branch on a number in a recorded step": (train_gan, BRANCH, AssertionError, READ),
    "a list made of a tensor in a recorded step": (train_gan, LIST, AssertionError, READ),
    "a mask for an index in a recorded step": (train_gan, MASK, AssertionError, READ),
    "a copy to the device in a recorded step": (train_gan, COPY, AssertionError, "cannot be recorded"),
    "numpy of a tensor on the device": (score_simsiam, numpy_of_the_device, TypeError, "numpy cannot read"),
    "weights left on the CPU": (score_gan, weights_left_on_the_cpu, RuntimeError, MIXED),
    "features of the evaluator left on the CPU": (score_gan, LEFT_ON_THE_CPU, RuntimeError, MIXED),
    "a checkpoint restored to the CPU": (score_vae, restored_to_the_cpu, RuntimeError, MIXED),
    "an operation that is not repeatable": (train_resnet, POOL, RuntimeError, "no deterministic implementation"),
    "a frozen learning rate": (train_gan, frozen_rate, DifferentError, "unrecorded"),
    "a learning rate in a new tensor": (train_simsiam, NEW_RATE, DifferentError, "unrecorded"),
    "a frozen penalty interval": (train_gan, frozen_interval, DifferentError, "unrecorded"),
    "a frozen weight of KL": (train_vae, frozen_beta, DifferentError, "unrecorded"),
    "a frozen decay of the average": (train_gan, frozen_decay, DifferentError, "unrecorded"),
    "a result read after the next step": (train_gan, kept_result, DifferentError, "unrecorded"),
    "a recording for another size of batch": (train_vae, forgotten_shape, RuntimeError, "size"),
}
"""For each mistake the stage that makes it, how it is planted, and how it shows."""

QUICK = (
    "a tensor made on the CPU in a step", "a number read in a recorded step", "a frozen penalty interval",
    "a frozen weight of KL", "features of the evaluator left on the CPU",
)  # fmt: skip


@pytest.mark.skipif(os.environ["PIPELINE_DEVICE"] != "cpu", reason="a real GPU need not survive some of them")
@pytest.mark.parametrize(
    "mistake", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in MISTAKES]
)
def test_it_is_found(once, thrice, data, evaluator, monkeypatch, mistake):
    make, plant, error, message = MISTAKES[mistake]
    plant(monkeypatch)
    with pytest.raises(error, match=message):
        make(once, thrice, data, evaluator)
