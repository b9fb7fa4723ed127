"""The Inception network of published FID and Inception Scores: TensorFlow's graph of 2015 as ported by torch-fidelity.

Not torchvision's network of that name: that has other weights, other pooling and another number of outputs, and its
scores differ.

References: Szegedy et al., Rethinking the Inception Architecture for Computer Vision, CVPR 2016;
Obukhov et al., High-fidelity performance metrics for generative models in PyTorch, 2020.
"""

import io
import os
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from pipeline.data.download import disk_errors, fetch
from pipeline.data.errors import DataError
from pipeline.data.registry import File
from pipeline.features.network import FeatureNetwork
from pipeline.runtime import files
from pipeline.runtime.seeding import seeded

OFFICIAL = File(
    "weights-inception-2015-12-05-6726825d.pth",
    "sha256:6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
)
MIRROR = "inception"  # folder of the file in a mirror
WEIGHTS = "weights.safetensors"
SIDE = 299  # pixels of the images that the network takes


def store(folder: Path, weights: str) -> None:
    """Put the network's weights into `folder`, so that later stages need neither network, mirror nor pickle.

    The file says where they come from: its `source` is the checksum of the official file, verified, or `random`.

    Args:
        folder: Folder to write them into.
        weights: `official`: from the path in the environment variable INCEPTION_WEIGHTS where that is set, else from a
            mirror or the official address; or `random`: a fixed random initialisation, with which everything runs and
            scores mean little.

    Raises:
        DataError: If the official file cannot be had or is not the official one.
    """
    if weights == "random":
        source = weights
        with seeded("inception weights"):
            state = _random_weights()
    else:
        source = OFFICIAL.checksum
        state = torch.load(_official(), map_location="cpu", weights_only=True)
    with disk_errors(f"{folder / WEIGHTS} cannot be stored"):
        tensors = {name: value.contiguous() for name, value in state.items()}
        (folder / WEIGHTS).write_bytes(save(tensors, {"source": source}))


def load(folder: Path, precision: str, device: torch.device) -> FeatureNetwork:
    """Return the network with the weights in `folder`; only the official ones give scores without a qualifier."""
    from torch_fidelity import FeatureExtractorInceptionV3  # slow to import, and not needed by a classifier's scores

    with safe_open(folder / WEIGHTS, "pt") as file:
        source = file.metadata()["source"]
    official = source == OFFICIAL.checksum
    digest = source.removeprefix("sha256:") if official else files.digest(folder / WEIGHTS)
    pickled = io.BytesIO()  # the class unpickles what it is built from: made here, nothing of it was read
    torch.save(load_file(folder / WEIGHTS), pickled)
    pickled.seek(0)
    network = FeatureExtractorInceptionV3(
        "inception", ["2048", "logits_unbiased"], feature_extractor_weights_path=pickled
    )
    *layers, head = network.to(device).children()  # in the order of their use
    body = nn.Sequential(*layers, nn.Flatten())

    def forward(images: Tensor) -> tuple[Tensor, Tensor]:
        features = body((enlarged(images.float()) - 128) / 128)
        return features, features @ head.weight.T

    words = {
        "feature_network": "Inception of 2015 ported from TensorFlow, 2048 pooled features, logits without bias,"
        f" {'official' if official else 'random'} weights sha256 {digest[:12]}",
        "resize": "to 299x299, bilinear on TensorFlow 1's pixel grid, no antialias; grey repeated to three channels",
    }
    return FeatureNetwork(forward, "" if official else "random Inception", words, precision)


def enlarged(images: Tensor) -> Tensor:
    """Return float32 images `(n, c, h, w)` in 299x299 pixels and three channels.

    The interpolation is bilinear on TensorFlow 1's pixel grid, where the pixel i of the result lies at i h / 299 of the
    image: two matrix products, one for rows and one for columns, a fraction of the time of four gathers.
    """
    rows, columns = (_interpolation(side, images.device) for side in images.shape[2:])
    with torch.autocast(images.device.type, enabled=False):  # pixels are not rounded
        return (rows @ images @ columns.T).expand(-1, 3, -1, -1)


def _interpolation(side: int, device: torch.device) -> Tensor:
    """Return the matrix `(299, side)` that interpolates between the pixels of a line."""
    place = torch.arange(SIDE, device=device) * torch.tensor(side / SIDE, dtype=torch.float32)
    pixel = torch.arange(side, device=device)
    # a line ends with its last pixel, whose weight takes in what lies beyond it
    return (1 - (place.clamp_max(side - 1)[:, None] - pixel).abs()).clamp_min(0)


def _official() -> Path:
    """Return the verified official file, from INCEPTION_WEIGHTS, a mirror or its official address."""
    path = os.environ.get("INCEPTION_WEIGHTS")
    if not path:
        try:
            return fetch(MIRROR, OFFICIAL)[0]
        except DataError as error:
            raise DataError(f"{error}\nOr set INCEPTION_WEIGHTS to the path of the file, wherever it lies.") from None
    if not Path(path).is_file():
        raise DataError(
            f"INCEPTION_WEIGHTS={path}: no such file; set it to the absolute path of {OFFICIAL.name}, or unset it."
        )
    if (found := f"sha256:{files.digest(Path(path))}") != OFFICIAL.checksum:
        raise DataError(
            f"INCEPTION_WEIGHTS={path}: {found}, but {OFFICIAL.name} has {OFFICIAL.checksum};"
            " scores would not be comparable."
        )
    return Path(path)


def _random_weights() -> dict[str, Tensor]:
    from torchvision.models import inception_v3  # its parameters have the names and shapes of the port

    state: dict[str, Tensor] = inception_v3(
        weights=None, aux_logits=False, num_classes=1008, init_weights=False
    ).state_dict()
    return state
