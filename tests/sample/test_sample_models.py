"""Trained models by name: samples, latents and features, as files and in another program."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import untrained
from PIL import Image

from pipeline.flow.planar import forward
from pipeline.gan.model import TrainedGan
from pipeline.gan.sample import Sampler, sample_latents
from pipeline.gan.settings import Sampling
from pipeline.runtime import seeding, weights
from pipeline.runtime.errors import UserError
from pipeline.sample import __main__ as command
from pipeline.sample.__main__ import write
from pipeline.sample.models import load

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("checkout")
    untrained.fill(root)
    return root


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
    assert card == {"model": name, "trained_with_seed": 0, "step": None, "count": 64, "seed": 0}
    with pytest.raises(UserError, match="not an empty folder"):
        write(model, 64, 0, tmp_path / "out")


def test_samples_are_a_function_of_the_seed(root):
    one, again, other = (load("gan/main", root=root).sample(4, seed)["samples"] for seed in (0, 0, 1))
    assert (one == again).all() and (one != other).any()
    assert (load("gan/main", trained=3, root=root).sample(4, 0)["samples"] != one).any()


def test_the_best_stored_generator_is_the_chosen_one(root):
    best = load("gan/main", trained=3, root=root, best=True)
    stored = weights.load(root / "models/gan/main", "seed_3-step_0")
    assert best.origin.step == 0
    learnt = [name for name, _ in best.generator.named_parameters()]
    assert learnt and all(torch.equal(best.tensors()[name], stored[name]) for name in learnt)
    with pytest.raises(UserError, match="no best generator was chosen"):
        load("vae/small", root=root, best=True)


def test_images_that_are_taken_away_are_those_that_were_scored(root):
    """Scoring's own sampler gives the same bytes for the same latents."""
    trained, cpu = TrainedGan.load(root / "models/gan/main"), torch.device("cpu")
    generator, random = trained.generator(root / "models/gan/main", 3, 10, cpu), seeding.generator(3, "normalisation")
    scored = Sampler(generator, trained.scale, Sampling("standing", 2, "fp32"), 8, random)
    latents = sample_latents(5, 8, (4, "sample"), cpu)
    assert torch.equal(load("gan/main", 3, root=root).sample(5, 4)["samples"], scored.images(latents))


def test_an_autoencoder_encodes_and_decodes(root):
    model = load("vae/small", root=root)
    images = torch.randint(256, (5, 1, 28, 28), dtype=torch.uint8)
    latents = model.encode(images)
    mean = model.network.encoder(images / 127.5 - 1)[:, :4]
    torch.testing.assert_close(latents, mean)
    output = model.network.decoder(latents).view(5, 1, 28, 28).clamp(-1, 1)
    assert torch.equal(model.decode(latents), ((output + 1) * 127.5 + 0.5).floor().to(torch.uint8))


def test_a_backbone_represents_images(root):
    model = load("simsiam/default", root=root)
    images = torch.randint(256, (600, 3, 8, 8), dtype=torch.uint8)
    features = model.represent(images)
    assert features.shape == (600, model.network.backbone.features)
    torch.testing.assert_close(features[-2:], model.network.backbone((images[-2:] / 255 - 0.5) / 0.25))


def test_a_network_of_features_generates_nothing(root, tmp_path, monkeypatch):
    monkeypatch.chdir(root)
    monkeypatch.setattr("sys.argv", ["sample", "simsiam/default", "--out", str(tmp_path / "x")])
    with pytest.raises(SystemExit, match="simsiam/default: a network of features, which generates nothing"):
        command.main()


def test_points_of_flows_go_the_right_way(root, tmp_path):
    model = load("flow/k2", root=root)
    points = model.sample(50, 0)
    assert set(points) == {"arcs_samples_smooth", "arcs_density_smooth"}
    layers = model.layers
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
        ("dirac/jsd", None, "families are gan, vae, flow, simsiam"),
        ("gan/other", None, "`dvc repro train_gan@other` trains it; there are main"),
        ("gan/main", 1, "not trained with seed 1, but with 0, 3"),
    ],
)
def test_models_that_are_not_there(root, name, trained, message):
    with pytest.raises(UserError, match=message):
        load(name, trained, root=root)


@pytest.mark.slow
def test_the_documented_lines_in_a_fresh_interpreter(root):
    """Every block of Python in docs/models.md, in the folder of the checkout; each is three lines."""
    blocks = (ROOT / "docs/models.md").read_text().split("```python\n")[1:]
    kinds = {"images": "torch.uint8 [64, 3, 32, 32]", "latents": "torch.float32 [9, 4]",
             "features": "torch.float32 [9, 16]"}  # fmt: skip
    made = (
        "import torch; digits, photographs = (torch.zeros(9, *s, dtype=torch.uint8) for s in ((1, 28, 28), (3, 9, 9)))"
    )
    found = {}
    for block in blocks:
        lines = [line for line in block.partition("```")[0].splitlines() if line]
        assert len(lines) == 3, lines
        name = lines[-1].partition(" ")[0]
        code = "\n".join([made, *lines, f"print({name}.dtype, list({name}.shape))"]).replace(
            "vae/bernoulli", "vae/small"
        )
        environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
        command_line = [sys.executable, "-c", code]
        done = subprocess.run(command_line, cwd=root, env=environment, capture_output=True, text=True, check=True)
        found[name] = done.stdout.strip()
    assert found == kinds
