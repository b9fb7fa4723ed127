"""Training of generative adversarial networks: a critic step, a generator step, and what is kept of both."""

import copy
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.data import store
from pipeline.gan import losses, model
from pipeline.gan import network as networks
from pipeline.gan.average import Average
from pipeline.gan.images import judged, stretched
from pipeline.gan.model import Model, Scale, save_weights, snapshot_name
from pipeline.gan.penalties import USUAL_POINTS, interpolate, norms, penalty, slopes
from pipeline.runtime import history, seeding
from pipeline.runtime.adam import Adam
from pipeline.runtime.checkpoint import Checkpoint
from pipeline.runtime.errors import UserError
from pipeline.runtime.progress import bar

HELD_OUT = 1000  # judged images, and as many fakes, of the held-out estimates at most
# on training batches, means since the last row
MEASURED = ("loss_real", "loss_fake", "penalty", "jsd", "w1", "loss_generator")
REMEDY = "a smaller learning rate, a penalty or spectral_norm"  # against divergence
PROBED = 256  # points between them at which the critic's slope is measured


@dataclass(frozen=True)
class Objective:
    """What the two players play for.

    Args:
        loss: see `pipeline.gan.losses`.
        penalty: `none`, or see `pipeline.gan.penalties`.
        penalty_weight: factor of the penalty in the critic's loss.
        penalty_interval: critic steps from one penalised step to the next, whose weight is multiplied by it.
        penalty_points: `real`, `fake`, `interpolated`, or `usual` for the points that the penalty is known with.
        r1_axis: `image` or `last`, see `pipeline.gan.penalties.penalty`.
    """

    loss: str
    penalty: str
    penalty_weight: float
    penalty_interval: int
    penalty_points: str
    r1_axis: str

    def points(self, critic_step: int) -> str | None:
        """Return where the penalty of critic step number `critic_step` is taken, `None` if it has none."""
        if self.penalty == "none" or critic_step % self.penalty_interval:
            return None
        return USUAL_POINTS[self.penalty] if self.penalty_points == "usual" else self.penalty_points


class Player:
    """A network and its optimiser.

    Args:
        net: generator or critic.
        learning_rate, betas, weight_decay: of Adam; weight decay is of the L2 kind.
        decay_steps: own steps after which the learning rate would have fallen to 0 on a straight line; 0 keeps it.
    """

    def __init__(
        self, net: nn.Module, *, learning_rate: float, betas: list[float], weight_decay: float, decay_steps: int
    ) -> None:
        self.net = net.to(memory_format=torch.channels_last)  # a quarter faster
        self._rate, self._decay_steps = learning_rate, decay_steps
        self.optimiser = Adam(net.parameters(), learning_rate, (betas[0], betas[1]), weight_decay)

    def step(self, loss: Tensor, done: int) -> None:
        """Descend one step after `done` earlier ones."""
        if self._decay_steps:
            self.optimiser.lr = self._rate * max(0.0, 1 - done / self._decay_steps)
        self.optimiser.zero_grad()
        # not autograd.grad: its results may have other strides than the weights, which the fused Adam does not notice
        loss.backward(inputs=list(self.net.parameters()))
        self.optimiser.step()

    def state(self) -> dict[str, Any]:
        return {"net": self.net.state_dict(), "optimiser": self.optimiser.state_dict()}

    def resume(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])


class Trainer:
    """The two players; noise and images come from outside, so a step is a function of its arguments.

    Args:
        generator, critic: the players.
        objective: what they play for.
    """

    def __init__(self, generator: Player, critic: Player, objective: Objective) -> None:
        self.generator, self.critic, self.objective = generator, critic, objective

    def critic_step(self, real: Tensor, codes: Tensor, shares: Tensor, done: int) -> Tensor:
        """Improve the critic on one batch.

        Args:
            real: images as the networks see them, `(n, c, h, w)`.
            codes: of as many fakes, `(n, latent)`.
            shares: of the real image in each interpolated point, `(n,)`, from U(0, 1).
            done: critic steps before this one.

        Returns:
            Its loss on real and on fake images, the unweighted penalty (0 where none was due), and the estimates of JSD
            and W1 on this batch, `(5,)`.
        """
        aim, critic = self.objective, self.critic.net
        with torch.no_grad():
            fake = self.generator.net(codes)
        points = aim.points(done)
        real.requires_grad_(points == "real")
        fake.requires_grad_(points == "fake")
        on_real, on_fake = critic(real), critic(fake)
        loss_real, loss_fake = losses.critic_loss(aim.loss, on_real, on_fake)
        loss = loss_real + loss_fake
        cost = torch.zeros_like(loss)
        if points is not None:
            match points:
                case "real":
                    gradient = slopes(on_real, real)
                case "fake":
                    gradient = slopes(on_fake, fake)
                case _:
                    between = interpolate(real, fake, shares).requires_grad_()
                    gradient = slopes(critic(between), between)
            cost = penalty(aim.penalty, gradient, aim.r1_axis)
            loss = loss + aim.penalty_weight * aim.penalty_interval * cost
        self.critic.step(loss, done)
        with torch.no_grad():
            estimates = losses.jsd_estimate(on_real, on_fake), losses.w1_estimate(on_real, on_fake)
            return torch.stack([loss_real, loss_fake, cost, *estimates])

    def generator_step(self, codes: Tensor, done: int) -> Tensor:
        """Improve the generator on fakes from `codes` `(n, latent)` after `done` earlier steps; return its loss."""
        loss = losses.generator_loss(self.objective.loss, self.critic.net(self.generator.net(codes)))
        self.generator.step(loss, done)
        return loss.detach()


class Batches:
    """An endless stream of shuffled epochs; the last, smaller batch of an epoch is left out.

    Args:
        images: uint8 `(n, c, h, w)`.
        batch: images of each.
        seed: of the order.
    """

    def __init__(self, images: Tensor, batch: int, seed: int) -> None:
        self._images, self._batch, self._seed = images, batch, seed
        self._per_epoch = len(images) // batch
        self._epoch, self._order = -1, torch.empty(0)

    def __getitem__(self, number: int) -> Tensor:
        epoch, place = divmod(number, self._per_epoch)
        if epoch != self._epoch:
            device = self._images.device
            random = seeding.generator(self._seed, "order", epoch, device=device)
            self._epoch, self._order = epoch, torch.randperm(len(self._images), generator=random, device=device)
        return self._images[self._order[place * self._batch : (place + 1) * self._batch]]


def fit(
    data: Path,
    output: Path,
    *,
    network: dict[str, Any],
    objective: dict[str, Any],
    generator: dict[str, Any],
    critic: dict[str, Any],
    steps: int,
    critic_steps: int,
    batch: int,
    ema: float,
    ema_warmup: bool,
    log_every: int,
    snapshots: list[int],
    seeds: list[int],
    device: torch.device,
    scratch: Path,
    log: history.Log,
) -> None:
    """Train one generator and critic per seed; write weights and learning curves.

    Writes `network.json`, averaged generators `seed_<s>_step_<n>.safetensors`, the last generator itself and the last
    critic (`seed_<s>_raw`, `seed_<s>_critic`), and `history.csv`, whose column `epoch` counts generator steps. Its
    columns `test_*` are of training images where the set has no test split, see `pipeline.gan.images.judged`.

    Args:
        data: folder of the data set.
        output: folder to write into.
        network: `network`, `width`, `latent` and `spectral`, see `pipeline.gan.network.build`.
        objective: the arguments of `Objective`.
        generator, critic: the optimiser settings of `Player`.
        steps: of the generator.
        critic_steps: of the critic before each of the generator's.
        batch: real images, and fakes, per step.
        ema, ema_warmup: decay of the averaged generator, and whether it grows to that, see `Average`.
        log_every: generator steps from one row of the history to the next.
        snapshots: generator steps after which the averaged generator is stored; the last one always is.
        seeds: of initialisation, order of the images and noise.
        device: where to train.
        scratch: folder of checkpoints.
        log: called for each row of the history with seed, generator steps and measurements.

    Raises:
        UserError: if a batch is larger than the data set, or training has diverged to numbers that are not finite.
    """
    images = store.load(data, device)
    train, (_, test) = stretched(images, "train"), judged(images)
    if batch > len(train):
        raise UserError(f"batch {batch} is larger than the {len(train)} training images of {images.card['name']}.")
    latent = network["latent"]
    build = {**network, "shape": list(train.shape[1:])}
    trained = Model(output, build, _scale(network["network"], train), seeds, sorted({*snapshots, steps}))
    weights = scratch / "weights"  # they must outlive a kill; the output folder does not
    weights.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, float]] = []
    with bar(len(seeds) * steps, output.name.strip("."), "step") as progress:
        for seed in seeds:
            with seeding.seeded(seed, "init"):
                nets = [net.to(device) for net in networks.build(**build)]
            players = Trainer(Player(nets[0], **generator), Player(nets[1], **critic), Objective(**objective))
            average = Average(nets[0], ema, ema_warmup)
            real = Batches(train, batch, seed)
            checkpoint = Checkpoint(scratch, f"seed_{seed}", device)
            curve: list[dict[str, float]] = []
            if state := checkpoint.load():
                players.generator.resume(state["generator"])
                players.critic.resume(state["critic"])
                average.network.load_state_dict(state["average"])
                curve = state["curve"]
            elif 0 in snapshots:
                save_weights(weights, snapshot_name(seed, 0), average.network)
            done = int(curve[-1]["epoch"]) if curve else 0
            progress.update(done)
            sums = torch.zeros(len(MEASURED), device=device)
            for step in range(done + 1, steps + 1):
                random = seeding.generator(seed, "step", step, device=device)
                codes = torch.randn((critic_steps + 1, batch, latent), generator=random, device=device)
                shares = torch.rand((critic_steps, batch), generator=random, device=device)
                for turn in range(critic_steps):
                    number = (step - 1) * critic_steps + turn
                    pixels = trained.scale.encode(real[number])
                    sums[:-1] += players.critic_step(pixels, codes[turn], shares[turn], number) / critic_steps
                sums[-1] += players.generator_step(codes[-1], step - 1)
                average.update(step - 1)
                progress.update()
                if step in trained.snapshots:
                    save_weights(weights, snapshot_name(seed, step), average.network)
                if step % log_every == 0 or step == steps:
                    since = step - (int(curve[-1]["epoch"]) if curve else 0)
                    row = dict(zip(MEASURED, (sums / since).tolist(), strict=True))
                    row |= held_out(
                        players,
                        trained.scale.encode(test[:HELD_OUT]),
                        seeding.generator(seed, "test", step, device=device),
                        latent,
                    )
                    history.must_be_finite(row, f"seed {seed}, generator step {step}", REMEDY)
                    sums.zero_()
                    curve.append({"seed": seed, "epoch": step, **row})
                    log(seed, step, row)
                    checkpoint.save(
                        {
                            "generator": players.generator.state(),
                            "critic": players.critic.state(),
                            "average": average.network.state_dict(),
                            "curve": curve,
                        },
                        now=step == steps,
                    )
            save_weights(weights, f"seed_{seed}_raw", players.generator.net)
            save_weights(weights, f"seed_{seed}_critic", players.critic.net)
            rows += curve
    for file in weights.iterdir():
        shutil.copy(file, output)
    model.save(trained)
    history.write(output / "history.csv", rows)


def held_out(players: Trainer, test: Tensor, random: torch.Generator, latent: int) -> dict[str, float]:
    """Estimate both distances between judged images and as many fakes, and measure the critic's slope between them.

    Args:
        players: the generator in training, not its average, and the critic.
        test: images as the networks see them; training images where the set has no others, see `judged`.
        random: source of the codes and of the points between.
        latent: dimensions of a code.

    Returns:
        `test_jsd` and `test_w1`; the critic's mean outputs `test_real` and `test_fake`; mean and standard deviation
        over points between real and fake images of the norm of its gradient, `slope` and `slope_spread`.
    """
    probe, critic = copy.deepcopy(players.generator.net), players.critic.net.eval()  # a copy: its statistics move
    codes = torch.randn((len(test), latent), generator=random, device=test.device)
    with torch.no_grad():
        fake = probe(codes)
        on_real, on_fake = critic(test), critic(fake)
        distances = losses.jsd_estimate(on_real, on_fake), losses.w1_estimate(on_real, on_fake)
    share = torch.rand(len(test[:PROBED]), generator=random, device=test.device)
    between = interpolate(test[:PROBED], fake[:PROBED], share).requires_grad_()
    slope = norms(slopes(critic(between), between).detach())
    critic.train()
    values = torch.stack([*distances, on_real.mean(), on_fake.mean(), slope.mean(), slope.std()]).tolist()
    return dict(zip(("test_jsd", "test_w1", "test_real", "test_fake", "slope", "slope_spread"), values, strict=True))


def _scale(network: str, train: Tensor) -> Scale:
    """Return [-1, 1] for generators that end in tanh, zero mean and unit deviation for the linear output of the mlp."""
    if network != "mlp":
        return Scale(0.5, 0.5)
    pixels = train.double() / 255
    return Scale(pixels.mean().item(), pixels.std().item())
