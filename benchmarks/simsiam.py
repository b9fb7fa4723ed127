"""SimSiam's views and epochs against the usual way: `python -m benchmarks.simsiam`.

`pipeline.simsiam` makes views of whole batches at once; torchvision makes them per image, on tensors or on PIL images,
in a DataLoader. An epoch is that of the stage `train_simsiam`; the usual one takes the same steps on views from the
DataLoader. All on random 32x32 images, the backbone of the default profile, and the same threads. Each number is the
median of several rounds in which the candidates take turns; on a CPU without workers it is processor time, so that what
else the machine does weighs little and on all alike.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.machine import alternate, describe, verdict
from pipeline.data.batches import epoch_batches
from pipeline.data.store import DataSet
from pipeline.runtime.device import prepare
from pipeline.runtime.seeding import generator
from pipeline.simsiam.augment import view
from pipeline.simsiam.settings import Augmentation, Monitor, Network, Optimiser, Training
from pipeline.simsiam.train import SimSiamTrainee

TRAINING = Training(
    network=Network("resnet10", 8, "halving", 256, 256, "mlp", 64, (0.5,) * 3, (0.25,) * 3),
    augmentation=Augmentation((0.08, 1.0), 0.0, 0.5, (0.4, 0.4, 0.4, 0.1), 0.8, 0.2),
    stop_gradient=True,
    epochs=1000,
    batch=128,
    optimiser=Optimiser(0.1, 0.9, 5e-4),
    precision="fp32",
    monitor=Monitor("projector", 50, 0.1),
    seeds=(0,),
)
THEIRS = [
    transforms.RandomResizedCrop(32, scale=(0.08, 1.0)),
    transforms.RandomHorizontalFlip(),
    transforms.RandomApply([transforms.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
    transforms.RandomGrayscale(0.2),
]

Loader = DataLoader[tuple[Tensor, Tensor]]


class TwoViews(Dataset[tuple[Tensor, Tensor]]):
    """Two views of each image, made by torchvision's transforms when asked for."""

    def __init__(self, pixels: Tensor, pil: bool) -> None:
        self.images = [transforms.functional.to_pil_image(image) if pil else image / 255 for image in pixels]
        self.transform = transforms.Compose([*THEIRS, transforms.ToTensor()] if pil else THEIRS)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.transform(self.images[index]), self.transform(self.images[index])


def views(data: DataSet, batch: int, random: torch.Generator) -> None:
    """Make the views of one epoch as the stage does."""
    pixels = data.split("train")
    for index in epoch_batches(len(pixels), batch, random, drop_last=True):
        images = data.unit(pixels[index])
        for _ in range(2):
            view(images, TRAINING.augmentation, random)


def fed(trainee: SimSiamTrainee, loader: Loader) -> None:
    """Take the steps of one epoch on the views of a DataLoader."""
    device = trainee.data.split("train").device
    trainee.model.train()
    for first, second in loader:
        trainee.step("step", first.to(device), second.to(device))


def compare(what: str, pieces: dict[str, Callable[[], object]], rounds: int, clock: Callable[[], float]) -> list[str]:
    """Print the time of each piece; return one line for each of those that the first is compared with."""
    seconds = alternate(pieces, rounds, clock)
    first, *others = seconds
    print(f"\n| {what} | seconds |\n|---|---:|")
    for name, time_taken in seconds.items():
        print(f"| {name} | {time_taken:.3f} |")
    return [verdict(f"{what}, {first}", other, seconds[other] / seconds[first], rounds) for other in others]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=512, help="images per round")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=0, help="of the DataLoader; 0 works in this process")
    asked = parser.parse_args()
    device = prepare()

    def clock() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() if device.type == "cuda" or asked.workers else time.process_time()

    pixels = torch.randint(0, 256, (asked.images, 3, 32, 32), dtype=torch.uint8, generator=generator(0))
    card = {"name": "random", "levels": 256, "shape": [3, 32, 32]}
    data, random = DataSet(card, {"train": pixels.to(device)}, {}), generator(1, device=device)
    training = replace(TRAINING, batch=asked.batch)
    tensors, pictures = (
        Loader(TwoViews(pixels, pil), asked.batch, shuffle=True, drop_last=True, num_workers=asked.workers)
        for pil in (False, True)
    )
    trainee, rounded = (SimSiamTrainee(0, data, replace(training, precision=name)) for name in ("fp32", "bf16"))
    print(
        f"{describe()}, device {device}, {asked.workers} worker(s), {asked.images} images in batches of {asked.batch}"
    )
    made: dict[str, Callable[[], object]] = {
        "whole batches": lambda: views(data, asked.batch, random),
        "torchvision per image on tensors": lambda: list(tensors),
        "torchvision per image on PIL images": lambda: list(pictures),
    }
    trained: dict[str, Callable[[], object]] = {
        "the stage": lambda: trainee.advance(1),
        "the same steps fed by torchvision on tensors": lambda: fed(trainee, tensors),
        "the same steps fed by torchvision on PIL images": lambda: fed(trainee, pictures),
    }
    precisions: dict[str, Callable[[], object]] = {
        "bf16": lambda: rounded.advance(1), "fp32": lambda: trainee.advance(1)
    }  # fmt: skip
    lines = compare("SimSiam's two views of each image", made, asked.rounds, clock)
    lines += compare("an epoch of SimSiam", trained, asked.rounds, clock)
    lines += compare("an epoch of SimSiam", precisions, asked.rounds, clock)
    print("", *lines, sep="\n")


if __name__ == "__main__":
    main()
