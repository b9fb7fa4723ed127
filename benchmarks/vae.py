"""Training epoch and log-likelihood of experiment A against plain PyTorch: `python -m benchmarks.vae [--threads N]`.

The plain forms are those of other libraries: a DataLoader, `nn.ELU`, `binary_cross_entropy_with_logits` and Adam as it
comes; a log-likelihood that goes image by image. Both sides compute the same quantities on the same images.
"""

import argparse
import copy

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    prepare()
    torch.set_num_threads(arguments.threads)
    print(describe())

    with seeded(0, "init"):
        ours = build(
            network="mlp", shape=(1, 28, 28), hidden=300, latent=100, posterior="gaussian", flow_layers=0,
            logit_shift=5.0, observation={"likelihood": "bernoulli", "pixels": 784, "step": 1.0, "lowest": 0.0},
        )  # fmt: skip
    plain = Plain(ours)
    bytes_ = (torch.rand(IMAGES, 1, 28, 28, generator=generator(0, "images")) < 0.2).to(torch.uint8)
    floats = bytes_.float()
    fused = torch.optim.Adam(ours.parameters(), lr=3e-4, fused=True)
    usual = torch.optim.Adam(plain.parameters(), lr=3e-4)
    times = alternate(
        {
            "plain": lambda: plain_epoch(plain, usual, floats),
            "ours": lambda: train_epoch(
                ours, fused, bytes_, generator(0, "epoch"), batch=BATCH, beta=1.0, kl_samples=None, clip_norm=0.0
            ),
        },
        arguments.rounds,
    )
    parameters = sum(parameter.numel() for parameter in ours.parameters())
    rate = matmul_rate(torch.float32)
    share = 6 * parameters * IMAGES / times["ours"] / rate
    print(f"float32 matmul: {rate / 1e9:.0f} GFLOP/s")
    print(
        f"training, {IMAGES // BATCH} steps of {BATCH}: plain {times['plain']:.2f} s, ours {times['ours']:.2f} s,",
        end=" ",
    )
    print(f"ratio {times['plain'] / times['ours']:.2f}; ours is at {share:.0%} of the matmul rate")

    scored = floats[:SCORED]
    pieces = {
        "plain": lambda: plain_log_likelihood(plain, scored),
        "ours": lambda: our_log_likelihood(ours, scored),
        "ours, bfloat16": lambda: our_log_likelihood(ours, scored, half=True),
    }
    times = alternate(pieces, arguments.rounds)
    decoder = sum(parameter.numel() for parameter in ours.decoder.parameters())
    for name, seconds in times.items():
        rate = matmul_rate(torch.bfloat16 if "bfloat16" in name else torch.float32)
        share = 2 * decoder * SCORED * SAMPLES / seconds / rate
        print(f"log p(x), K = {SAMPLES}, {name}: {seconds / SCORED * 1e3:.2f} ms an image,", end=" ")
        print(f"ratio {times['plain'] / seconds:.2f}, at {share:.0%} of the matmul rate")


if __name__ == "__main__":
    main()
