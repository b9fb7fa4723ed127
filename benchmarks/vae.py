"""Training epoch and log-likelihood of experiment A against plain PyTorch: `python -m benchmarks.vae [--threads N]`.

The plain forms are those of other libraries: a DataLoader, `nn.ELU`, `binary_cross_entropy_with_logits` and Adam as it
comes; a log-likelihood that goes image by image. Both sides compute the same quantities on the same images.
"""

import argparse
import copy
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.machine import alternate, describe, matmul_rate
from pipeline.metrics.likelihood import log_mean_exp, log_weights, nested_estimates
from pipeline.runtime.device import prepare
from pipeline.runtime.seeding import generator, seeded
from pipeline.vae.network import Elu, Vae, build
from pipeline.vae.train import train_epoch

IMAGES, BATCH, SCORED, SAMPLES = 64 * 150, 64, 40, 200


class Plain(nn.Module):
    """The same network out of PyTorch's own layers."""

    def __init__(self, model: Vae) -> None:
        super().__init__()
        self.encoder, self.decoder = (self._layers(part) for part in (model.encoder, model.decoder))

    @staticmethod
    def _layers(part: nn.Module) -> nn.Sequential:
        assert isinstance(part, nn.Sequential)
        return nn.Sequential(*(nn.ELU() if isinstance(layer, Elu) else copy.deepcopy(layer) for layer in part))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, logvar = self.encoder(x).chunk(2, -1)
        z = mean + torch.exp(logvar / 2) * torch.randn_like(mean)
        return mean, logvar, self.decoder(z) - 5


def plain_epoch(model: Plain, optimiser: torch.optim.Optimizer, images: Tensor) -> None:
    for (x,) in DataLoader(TensorDataset(images), batch_size=BATCH, shuffle=True):
        mean, logvar, logits = model(x)
        likelihood = -F.binary_cross_entropy_with_logits(logits, x.flatten(1), reduction="none").sum(1)
        kl = 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(1)
        optimiser.zero_grad()
        (kl - likelihood).mean().backward()
        optimiser.step()


@torch.no_grad()
def plain_log_likelihood(model: Plain, images: Tensor) -> float:
    total = 0.0
    for x in images:
        mean, logvar = model.encoder(x[None]).chunk(2, -1)
        noise = torch.randn(SAMPLES, mean.shape[1])
        z = mean + torch.exp(logvar / 2) * noise
        logits = model.decoder(z) - 5
        target = x.flatten().expand_as(logits)
        likelihood = -F.binary_cross_entropy_with_logits(logits, target, reduction="none").sum(1)
        ratio = 0.5 * (noise**2 - z**2 + logvar).sum(1)
        total += log_mean_exp(likelihood + ratio).item()
    return total / len(images)


def our_log_likelihood(model: Vae, images: Tensor, half: bool = False) -> float:
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        parts = [log_weights(model, part, SAMPLES, generator(0, "benchmark")) for part in images.split(10)]
    return nested_estimates(torch.cat(parts), [SAMPLES]).mean().item()


@cache
def material() -> tuple[Vae, Plain, Tensor]:
    """Return our network, the plain one with the same weights, and images, once per process."""
    with seeded(0, "init"):
        ours = build(
            network="mlp", shape=(1, 28, 28), hidden=300, latent=100, posterior="gaussian", flow_layers=0,
            logit_shift=5.0, observation={"likelihood": "bernoulli", "pixels": 784, "step": 1.0, "lowest": 0.0},
        )  # fmt: skip
    images = (torch.rand(IMAGES, 1, 28, 28, generator=generator(0, "images")) < 0.2).to(torch.uint8)
    return ours, Plain(ours), images


def piece(name: str) -> None:
    """Carry out one of the timed pieces."""
    ours, plain, images = material()
    match name:
        case "plain training":
            plain_epoch(plain, torch.optim.Adam(plain.parameters(), lr=3e-4), images.float())
        case "our training":
            optimiser = torch.optim.Adam(ours.parameters(), lr=3e-4, fused=True)
            random = generator(0, "epoch")
            train_epoch(ours, optimiser, images, random, batch=BATCH, beta=1.0, kl_samples=None, clip_norm=0.0)
        case "plain likelihood":
            plain_log_likelihood(plain, images[:SCORED].float())
        case "our likelihood":
            our_log_likelihood(ours, images[:SCORED].float())
        case "our likelihood, bfloat16":
            our_log_likelihood(ours, images[:SCORED].float(), half=True)


def start(ours: bool, threads: int) -> None:
    """Set up a process: ours as our stages do, the other as PyTorch comes."""
    if ours:
        prepare()
    torch.set_num_threads(threads)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(describe())
    rates = {dtype: matmul_rate(dtype) for dtype in (torch.float32, torch.bfloat16)}
    print(f"matmul: float32 {rates[torch.float32] / 1e9:.0f}, bfloat16 {rates[torch.bfloat16] / 1e9:.0f} GFLOP/s")
    ours, _, _ = material()
    training = 6 * sum(parameter.numel() for parameter in ours.parameters()) * IMAGES
    scoring = 2 * sum(parameter.numel() for parameter in ours.decoder.parameters()) * SCORED * SAMPLES
    # a process for each side: the setting of the allocator in `prepare` would speed up the plain side too
    with (
        ProcessPoolExecutor(1, get_context("spawn"), start, (False, arguments.threads)) as plain_side,
        ProcessPoolExecutor(1, get_context("spawn"), start, (True, arguments.threads)) as our_side,
    ):
        for work, names in {
            training: ("plain training", "our training"),
            scoring: ("plain likelihood", "our likelihood", "our likelihood, bfloat16"),
        }.items():
            sides = {name: plain_side if name.startswith("plain") else our_side for name in names}
            pieces = {name: (lambda n=name, s=side: s.submit(piece, n).result()) for name, side in sides.items()}
            times = alternate(pieces, arguments.rounds)
            for name, seconds in times.items():
                share = work / seconds / rates[torch.bfloat16 if "bfloat16" in name else torch.float32]
                print(f"{name}: {seconds:.3f} s, ratio {times[names[0]] / seconds:.2f}, {share:.0%} of matmul")


if __name__ == "__main__":
    main()
