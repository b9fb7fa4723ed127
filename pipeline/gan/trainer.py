"""The two players of a generative adversarial network, and one training step of each."""

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.gan import losses
from pipeline.gan.penalties import USUAL_POINTS, gradients, interpolate, penalty
from pipeline.gan.settings import Objective, Optimiser
from pipeline.runtime.adam import Adam
from pipeline.runtime.captured import captured
from pipeline.runtime.precision import arithmetic


class Player:
    """A network and its optimiser.

    Args:
        network: Generator or critic.
        settings: Settings of Adam. The learning rate falls on a straight line that reaches 0 after `decay_steps` steps
            of this player, or stays as it is where that is 0.
    """

    def __init__(self, network: nn.Module, settings: Optimiser) -> None:
        self.network = network.to(memory_format=torch.channels_last)  # a quarter faster
        self.settings = settings
        self.optimiser = Adam(network.parameters(), settings.learning_rate, settings.betas, settings.weight_decay)

    def schedule(self, done: int) -> None:
        """Set the learning rate for the step after `done` earlier ones."""
        if self.settings.decay_steps:
            self.optimiser.lr = self.settings.learning_rate * max(0.0, 1 - done / self.settings.decay_steps)

    def descend(self, loss: Tensor) -> None:
        """Take one step down the gradient of `loss`."""
        self.optimiser.zero_grad()
        # not autograd.grad: its results may have other strides than the weights, which the fused Adam does not notice
        loss.backward(inputs=list(self.network.parameters()))
        self.optimiser.step()

    def state(self) -> dict[str, Any]:
        return {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}

    def resume(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])


class Trainer:
    """The game of the two players; noise and images come from outside, so that a step is a function of its arguments.

    Both steps can be recorded, see `pipeline.runtime.captured`.

    Args:
        generator: The player that maps latents to images.
        critic: The player that tells real images from generated ones.
        objective: What they play for.
        precision: Arithmetic of their networks, see `pipeline.runtime.precision`. Losses and penalties are float32.
        device: Device of the computation.
    """

    def __init__(
        self, generator: Player, critic: Player, objective: Objective, precision: str, device: torch.device
    ) -> None:
        self.generator, self.critic, self.objective = generator, critic, objective
        self._precision, self._device = precision, device
        self.improve_critic = captured(self._improve_critic, device)
        self.improve_generator = captured(self._improve_generator, device)

    def critic_step(self, real: Tensor, latents: Tensor, shares: Tensor, done: int) -> Tensor:
        """Improve the critic on one batch.

        Args:
            real: Images as the networks see them, `(n, c, h, w)`.
            latents: Latents of as many fakes, `(n, latent)`.
            shares: Share of the real image in each interpolated point, `(n,)`, from U(0, 1).
            done: Number of critic steps before this one.

        Returns:
            Its loss on real and on fake images, the unweighted penalty (0 where none was due), and the estimates of JSD
            and W1 on this batch, `(5,)`.
        """
        self.critic.schedule(done)
        return self.improve_critic(points_of(self.objective, done), real, latents, shares)

    def generator_step(self, latents: Tensor, done: int) -> Tensor:
        """Improve the generator on fakes from `latents` `(n, latent)` after `done` earlier steps; return its loss."""
        self.generator.schedule(done)
        return self.improve_generator(None, latents)

    def generate(self, latents: Tensor) -> Tensor:
        """Return the generator's images of latents `(n, latent)`."""
        with self._arithmetic():
            return _wide(self.generator.network(latents))

    def criticise(self, images: Tensor) -> Tensor:
        """Return the critic's raw outputs `(n,)` on images."""
        with self._arithmetic():
            return _wide(self.critic.network(images))

    def _improve_critic(self, points: str | None, real: Tensor, latents: Tensor, shares: Tensor) -> Tensor:
        objective = self.objective
        with torch.no_grad():
            fake = self.generate(latents)
        real.requires_grad_(points == "real")
        fake.requires_grad_(points == "fake")
        on_real, on_fake = self.criticise(real), self.criticise(fake)
        loss_real, loss_fake = losses.critic_loss(objective.loss, on_real, on_fake)
        loss, penalised = loss_real + loss_fake, torch.zeros_like(loss_real)
        if points is not None:
            match points:
                case "real":
                    gradient = gradients(on_real, real)
                case "fake":
                    gradient = gradients(on_fake, fake)
                case _:
                    between = interpolate(real, fake, shares).requires_grad_()
                    gradient = gradients(self.criticise(between), between)
            penalised = penalty(objective.penalty, gradient, objective.r1_axis)
            loss = loss + objective.penalty_weight * objective.penalty_interval * penalised
        self.critic.descend(loss)
        with torch.no_grad():
            estimates = losses.jsd_estimate(on_real, on_fake), losses.w1_estimate(on_real, on_fake)
            return torch.stack([loss_real, loss_fake, penalised, *estimates])

    def _improve_generator(self, _: None, latents: Tensor) -> Tensor:
        loss = losses.generator_loss(self.objective.loss, self.criticise(self.generate(latents)))
        self.generator.descend(loss)
        return loss.detach()

    def _arithmetic(self) -> AbstractContextManager[Any]:
        return arithmetic(self._device, self._precision)


def points_of(objective: Objective, critic_step: int) -> str | None:
    """Return where the penalty of critic step number `critic_step` is taken, `None` if it has none."""
    if objective.penalty == "none" or critic_step % objective.penalty_interval:
        return None
    usual = objective.penalty_points == "usual"
    return USUAL_POINTS[objective.penalty] if usual else objective.penalty_points


def _wide(x: Tensor) -> Tensor:
    """Return what a network computed in at least float32."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
