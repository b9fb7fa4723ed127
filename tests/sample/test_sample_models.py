"""Samples of a trained generator, autoencoder and flow, as files and in another program."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.flow import network as flows
from pipeline.flow.planar import forward
from pipeline.flow.settings import Network as FlowNetwork
from pipeline.gan.model import Scale, TrainedGan
from pipeline.gan.network import build
from pipeline.gan.settings import Network as GanNetwork
from pipeline.runtime import settings, weights
from pipeline.runtime.errors import UserError
from pipeline.runtime.plan import Plan
from pipeline.runtime.seeding import seeded
from pipeline.sample.__main__ import write
from pipeline.sample.models import load
from pipeline.vae.model import FILE, VaeDescription
from pipeline.vae.observation import Observation
from pipeline.vae.settings import Network as VaeNetwork

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A checkout with an untrained model of each family."""
    root = tmp_path_factory.mktemp("checkout")
    for name in ("gan/main", "vae/small", "flow/k2"):
        (root / "models" / name).mkdir(parents=True)
    with seeded(0, "test"):
        _gan(root, root / "models/gan/main")
        _vae(root, root / "models/vae/small")
        _flow(root / "models/flow/k2")
    return root


def _gan(root, folder):
    network, shape = GanNetwork("dcgan", 4, 8, False), (3, 32, 32)
    TrainedGan(network, shape, Scale(0.5, 0.5), (0, 3), (0, 10)).save(folder)
    for seed in (0, 3):
        weights.save(folder, weights.name(seed), weights.of(build(network, shape)[0]))
    sampling = {"normalisation": "standing", "normalisation_batches": 2, "precision": "fp32"}
    _plan(root, Plan("score_gan", "main", settings={"sampling": sampling}))


def _vae(root, folder):
    network = VaeNetwork("mlp", 8, 4, "gaussian", 0, 0.0)
    description = VaeDescription(network, (1, 28, 28), Observation("gaussian", 784, 2 / 255, -1.0), "fp32")
    settings.write(folder / FILE, description)
    weights.save(folder, weights.name(0), weights.of(description.build()))
    _plan(root, Plan("train_vae", "small", {"data": "data/grey"}))
    (root / "data/grey").mkdir(parents=True)
    (root / "data/grey/card.json").write_text(json.dumps({"levels": 256}))


def _flow(folder):
    network = FlowNetwork(2, ("arcs",), ("smooth",))
    settings.write(folder / "network.json", network)
    layers = {"u": torch.rand(2, 2) / 4, "w": torch.rand(2, 2), "b": torch.rand(2)}
    names = flows.names(network)
    weights.save(
        folder, weights.name(0), {f"{flow}.{key}": value.clone() for flow in names for key, value in layers.items()}
    )


def _plan(root, plan):
    (root / plan.path).parent.mkdir(parents=True)
    (root / plan.path).write_text(plan.text())


@pytest.mark.parametrize(("name", "shape"), [("gan/main", (3, 32, 32)), ("vae/small", (1, 28, 28))])
def test_64_images_as_pictures_and_as_an_array(root, tmp_path, name, shape):
    model = load(name, root=root)
    write(model, 64, 0, tmp_path / "out")
    images = np.load(tmp_path / "out/samples.npz")["samples"]
    assert images.shape == (64, *shape) and images.dtype == np.uint8 and images.std() > 0
    files = sorted((tmp_path / "out").glob("*.png"))
    assert [file.name for file in files[:2]] == ["00000.png", "00001.png"] and len(files) == 64
    last = np.asarray(Image.open(files[-1])).reshape(*shape[1:], shape[0]).transpose(2, 0, 1)
    assert (last == images[-1]).all()
    card = json.loads((tmp_path / "out/samples.json").read_text())
    assert card == {"model": name, "trained_with_seed": 0, "count": 64, "seed": 0}
    with pytest.raises(UserError, match="not an empty folder"):
        write(model, 64, 0, tmp_path / "out")


def test_samples_are_a_function_of_the_seed(root):
    one, again, other = (load("gan/main", root=root).sample(4, seed)["samples"] for seed in (0, 0, 1))
    assert (one == again).all() and (one != other).any()
    assert (load("gan/main", trained=3, root=root).sample(4, 0)["samples"] != one).any()


def test_points_of_flows_go_the_right_way(root, tmp_path):
    model = load("flow/k2", root=root)
    points = model.sample(50, 0)
    assert set(points) == {"arcs_samples_smooth", "arcs_density_smooth"}
    layers = flows.load(model.folder)[1][0]
    back, _ = forward(points["arcs_samples_smooth"], *layers["arcs_samples_smooth"])
    there, _ = forward(back, *layers["arcs_density_smooth"])
    assert torch.allclose(there, points["arcs_density_smooth"], atol=1e-6), "both flows have the same layers here"
    write(model, 50, 0, tmp_path / "out")
    assert (tmp_path / "out/samples.png").stat().st_size > 0
    assert np.load(tmp_path / "out/samples.npz")["arcs_density_smooth"].shape == (50, 2)


@pytest.mark.parametrize(
    ("name", "trained", "message"),
    [
        ("gan", None, "family and run are needed"),
        ("dirac/jsd", None, "families are gan, vae, flow"),
        ("gan/other", None, "`dvc repro train_gan@other` trains it; there are main"),
        ("gan/main", 1, "not trained with seed 1, but with 0, 3"),
    ],
)
def test_models_that_are_not_there(root, name, trained, message):
    with pytest.raises(UserError, match=message):
        load(name, trained, root=root)


@pytest.mark.slow
def test_the_three_documented_lines_in_a_fresh_interpreter(root):
    """The lines of docs/compare.md, in the folder of the checkout."""
    text = (ROOT / "docs/compare.md").read_text()
    lines = text.partition("```python\n")[2].partition("```")[0]
    assert len([line for line in lines.splitlines() if line]) == 3
    code = f"{lines}\nprint(images.shape, images.dtype)"
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "torch.Size([64, 3, 32, 32]) torch.uint8"
