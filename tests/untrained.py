"""A checkout with an untrained model of each family, as if it had been trained and the GAN scored."""

import json

import torch

from pipeline.flow import network as flows
from pipeline.flow.settings import Network as FlowNetwork
from pipeline.gan import best
from pipeline.gan.model import Scale, TrainedGan
from pipeline.gan.network import build
from pipeline.gan.settings import Network as GanNetwork
from pipeline.metrics import summary
from pipeline.runtime import settings, weights
from pipeline.runtime.plan import Plan
from pipeline.runtime.seeding import seeded
from pipeline.simsiam.network import SimSiam
from pipeline.simsiam.settings import Network as SimSiamNetwork
from pipeline.vae.model import FILE, VaeDescription
from pipeline.vae.observation import Observation
from pipeline.vae.settings import Network as VaeNetwork

MODELS = ("gan/main", "vae/small", "flow/k2", "simsiam/default")
SCORES = {"frechet_distance": 50.0, "inception_score": 2.0, "precision": 0.5, "recall": 0.25, "density": 0.75,
          "coverage": 0.125}  # fmt: skip


def fill(root):
    """Write models, plans, cards and scores below `root`."""
    for name in MODELS:
        (root / "models" / name).mkdir(parents=True)
    for name, shape in (("colours", [3, 32, 32]), ("grey", [1, 28, 28])):
        (root / "data" / name).mkdir(parents=True)
        card = {"name": name, "title": f"{name} | made up", "licence": "CC0", "source": "a test", "levels": 256,
                "shape": shape, "counts": {"train": 9}, "split": "as given"}  # fmt: skip
        (root / "data" / name / "card.json").write_text(json.dumps(card))
    for stage in ("train_gan", "train_vae", "train_flow", "train_simsiam"):
        (root / "sources").mkdir(exist_ok=True)
        (root / "sources" / f"{stage}.yaml").write_text("modules: {}\npackages: {torch: '2'}\n")
    with seeded(0, "test"):
        _gan(root, root / "models/gan/main")
        _vae(root, root / "models/vae/small")
        _flow(root, root / "models/flow/k2")
        _simsiam(root, root / "models/simsiam/default")


def write(root, plan):
    (root / plan.path).parent.mkdir(parents=True)
    (root / plan.path).write_text(plan.text())


def _gan(root, folder):
    network, shape = GanNetwork("dcgan", 4, 8, False), (3, 32, 32)
    trained = TrainedGan(network, shape, Scale(0.5, 0.5), (0, 3), (0, 10))
    trained.save(folder)
    for seed in (0, 3):
        for name in (weights.name(seed), weights.snapshot(weights.name(seed), "step", 0)):
            weights.save(folder, name, weights.of(build(network, shape)[0]))
    training = {"network": {"width": 4}, "seeds": [0, 3]}
    write(root, Plan("train_gan", "main", {"data": "data/colours"}, "models/gan/main", training))
    sampling = {"normalisation": "standing", "normalisation_batches": 2, "precision": "fp32"}
    inputs, scores = {"model": "models/gan/main", "features": "models/features/colours"}, root / "scores/gan/main"
    write(root, Plan("score_gan", "main", inputs, "scores/gan/main", {"sampling": sampling}))
    (scores / best.FOLDER).mkdir(parents=True)
    words = {"chosen": "the better one", "chosen_on": "2 samples", "scored_on": "3 samples"}
    chosen = {**words, "seeds": {seed: {"step": 0} for seed in ("0", "3")}}
    (scores / best.FOLDER / best.CHOSEN).write_text(json.dumps(chosen))
    seeds = {
        seed: {
            "final": {**SCORES, "frechet_distance": SCORES["frechet_distance"] + int(seed)},
            "best": {**SCORES, "frechet_distance": 40.0},
        }
        for seed in ("0", "3")
    }
    protocol = {"names": {"frechet_distance": "FD (classifier)"}, "images": 3}
    summary.write(scores, protocol, seeds)
    real = root / "scores/real/colours"
    real.mkdir(parents=True)
    known = {"noise": {"source": "uniform noise", "frechet_distance": 99.0}, "accuracy": {"test": 0.5}}
    (real / "metrics.json").write_text(json.dumps({"protocol": protocol, **known}))


def _vae(root, folder):
    network = VaeNetwork("mlp", 8, 4, "gaussian", 0, 0.0)
    description = VaeDescription(network, (1, 28, 28), Observation("gaussian", 784, 2 / 255, -1.0), "fp32")
    settings.write(folder / FILE, description)
    weights.save(folder, weights.name(0), weights.of(description.build()))
    write(root, Plan("train_vae", "small", {"data": "data/grey"}))


def _flow(root, folder):
    network = FlowNetwork(2, ("arcs",), ("smooth",))
    settings.write(folder / "network.json", network)
    layers = {"u": torch.rand(2, 2) / 4, "w": torch.rand(2, 2), "b": torch.rand(2)}
    names = flows.names(network)
    weights.save(
        folder, weights.name(0), {f"{flow}.{key}": value.clone() for flow in names for key, value in layers.items()}
    )
    write(root, Plan("train_flow", "k2"))


def _simsiam(root, folder):
    network = SimSiamNetwork(
        backbone="resnet10", width=2, stem="halving", projector_hidden=4, projector_output=4, predictor="mlp",
        predictor_hidden=2, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25),
    )  # fmt: skip
    settings.write(folder / "network.json", network)
    weights.save(folder, weights.name(0), weights.of(SimSiam(network)))
    write(root, Plan("train_simsiam", "default", {"data": "data/colours"}))
