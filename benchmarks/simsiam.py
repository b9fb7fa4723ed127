"""SimSiam's input and training step against the usual way: `python -m benchmarks.simsiam`.

Views are made for whole batches at once by `pipeline.simsiam.augment`, and per image by torchvision's transforms, on
tensors and on PIL images. A training step takes its views from the one or from a DataLoader that runs torchvision's
transforms per image. All on random 32x32 images, the small backbone of the default profile, and the same threads. Each
number is the median of several rounds in which the candidates take turns; on a CPU without workers it is processor
time, so that what else the machine does weighs little and on all alike.
"""

import argparse
import time
from collections.abc import Iterator

import torch
import torchvision
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.machine import alternate, describe
from pipeline.data.batches import epoch_batches
from pipeline.runtime.seeding import generator
from pipeline.simsiam.augment import Augmentation
from pipeline.simsiam.objective import negative_cosine
from pipeline.simsiam.train import sgd, untrained

NETWORK = {
    "mean": [0.5] * 3, "deviation": [0.25] * 3, "backbone": "resnet10", "width": 8, "stem": "halving",
    "projector_hidden": 256, "features": 256, "predictor": "mlp", "predictor_hidden": 64,
}  # fmt: skip
OURS = Augmentation(
    crop=(0.08, 1.0), rotation=0.0, flip=0.5, jitter=(0.4, 0.4, 0.4, 0.1), jitter_probability=0.8, grey=0.2
)
THEIRS = [
    transforms.RandomResizedCrop(32, scale=(0.08, 1.0)),
    transforms.RandomHorizontalFlip(),
    transforms.RandomApply([transforms.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
    transforms.RandomGrayscale(0.2),
]


class TwoViews(Dataset[tuple[Tensor, Tensor]]):
    """Two views of each image, made by torchvision's transforms when asked for."""

    def __init__(self, pixels: Tensor, pil: bool) -> None:
        self.images = [transforms.functional.to_pil_image(image) if pil else image / 255 for image in pixels]
        self.transform = transforms.Compose([*THEIRS, transforms.ToTensor()] if pil else THEIRS)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.transform(self.images[index]), self.transform(self.images[index])


def batched(pixels: Tensor, batch: int, random: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    for index in epoch_batches(len(pixels), batch, random, drop_last=True):
        images = pixels[index].float() / 255
        yield OURS.view(images, random), OURS.view(images, random)


def loader(dataset: TwoViews, batch: int, workers: int) -> DataLoader[tuple[Tensor, Tensor]]:
    return DataLoader(dataset, batch, shuffle=True, drop_last=True, num_workers=workers)


def train(views: Iterator[tuple[Tensor, Tensor]] | DataLoader[tuple[Tensor, Tensor]], device: torch.device) -> None:
    model = untrained(NETWORK, 0, device).train()
    optimiser = sgd(model, lr=0.1, momentum=0.9, weight_decay=5e-4)
    for first, second in views:
        z1, z2 = (model.project(model.represent(view.to(device))) for view in (first, second))
        loss = negative_cosine(model.predict(z1), model.predict(z2), z1, z2, stop_gradient=True)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def consume(views: Iterator[tuple[Tensor, Tensor]] | DataLoader[tuple[Tensor, Tensor]]) -> None:
    for _ in views:
        pass


def show(title: str, seconds: dict[str, float], images: int) -> None:
    first = next(iter(seconds.values()))
    print(f"\n| {title} | images/s | time, relative to the first |\n|---|---:|---:|")
    for name, time_taken in seconds.items():
        print(f"| {name} | {images / time_taken:,.0f} | {time_taken / first:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=512, help="images per round")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="of this process")
    parser.add_argument("--workers", type=int, default=0, help="of the DataLoader; 0 works in this process")
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    device = torch.device(asked.device)

    def clock() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() if device.type == "cuda" or asked.workers else time.process_time()

    pixels = torch.randint(0, 256, (asked.images, 3, 32, 32), dtype=torch.uint8, generator=generator(0))
    tensors, pictures = TwoViews(pixels, pil=False), TwoViews(pixels, pil=True)
    resident, random = pixels.to(device), generator(1, device=device)
    print(
        f"{describe()}, torchvision {torchvision.__version__}, device {device}, {asked.workers} worker(s);"
        f" {asked.images} images in batches of {asked.batch}, median of {asked.rounds} rounds"
    )
    views = {
        "whole batches (pipeline.simsiam.augment)": lambda: consume(batched(resident, asked.batch, random)),
        "torchvision per image, tensors": lambda: consume(loader(tensors, asked.batch, asked.workers)),
        "torchvision per image, PIL": lambda: consume(loader(pictures, asked.batch, asked.workers)),
    }
    show("two views of each image", alternate(views, asked.rounds, clock), asked.images)
    steps = {
        "training step, views of whole batches": lambda: train(batched(resident, asked.batch, random), device),
        "the same fed by a DataLoader, tensors": lambda: train(loader(tensors, asked.batch, asked.workers), device),
        "the same fed by a DataLoader, PIL": lambda: train(loader(pictures, asked.batch, asked.workers), device),
    }
    show("training step", alternate(steps, asked.rounds, clock), asked.images // asked.batch * asked.batch)


if __name__ == "__main__":
    main()
