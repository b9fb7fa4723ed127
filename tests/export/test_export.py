"""Exported models: loaded without the checkout they come from, with a card, and registered in MLflow."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import untrained
import yaml
from safetensors.torch import load_file

from pipeline.export.__main__ import export
from pipeline.gan.network import build
from pipeline.gan.settings import Network
from pipeline.runtime.errors import UserError
from pipeline.sample.models import load

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("checkout")
    untrained.fill(root)
    return root


def used(model):
    """What a model makes, whatever it is."""
    if hasattr(model, "represent"):
        return {"features": model.represent(torch.arange(192, dtype=torch.uint8).view(1, 3, 8, 8))}
    return model.sample(3, seed=1)


@pytest.mark.parametrize("name", untrained.MODELS)
def test_an_exported_model_makes_what_the_one_of_the_checkout_makes(root, tmp_path, name):
    export(name, tmp_path / "model", root)
    assert {file.name for file in (tmp_path / "model").iterdir()} == {"README.md", "network.json", "model.safetensors"}
    here, there = used(load(name, root=root)), used(load(tmp_path / "model"))
    assert here.keys() == there.keys() and all(torch.equal(here[key], there[key]) for key in here)


def test_the_weights_are_those_of_plain_pytorch_with_the_normalisation_of_the_scores(root, tmp_path):
    export("gan/main", tmp_path / "model", root)
    described = json.loads((tmp_path / "model/network.json").read_text())["network"]
    generator = build(Network(**described["network"]), tuple(described["shape"]))[0].eval()
    generator.load_state_dict(load_file(tmp_path / "model/model.safetensors"))
    latents = torch.randn(4, 8)
    model = load("gan/main", root=root)
    assert torch.equal(model.described.scale.decode(generator(latents).detach()), model._sampler.images(latents))


def test_the_card_says_data_settings_scores_licence_and_how_to_load(root, tmp_path):
    export("gan/main", tmp_path / "model", root, trained=3)
    text = (tmp_path / "model/README.md").read_text()
    _, head, body = text.split("---\n", 2)
    assert yaml.safe_load(head)["library_name"] == "pytorch"
    for row in (
        "| title | colours \\| made up |", "| width | 4 |",
        "| FD (classifier), last generator | 53 | 51.5 | 2.1213 | 2 |",
        "| licence | CC0 |", "99 for uniform noise", "50.0 % (test)", "run `main`, seed 3.", "Trained with torch 2.",
        "The data that the weights were learnt from: CC0.", 'load("model")',
    ):  # fmt: skip
        assert row in body, row
    digest = hashlib.sha256((tmp_path / "model/model.safetensors").read_bytes()).hexdigest()
    assert f"| `model.safetensors` | `{digest}` |" in body


def test_scores_of_an_earlier_model_are_not_on_the_card(root, tmp_path):
    shutil.copytree(root, tmp_path / "checkout")
    lock = {"stages": {"score_gan@main": {"deps": [{"path": "plan/score_gan/main.yaml", "md5": "of another plan"}]}}}
    (tmp_path / "checkout/dvc.lock").write_text(yaml.safe_dump(lock))
    export("gan/main", tmp_path / "model", tmp_path / "checkout", trained=3)
    text = (tmp_path / "model/README.md").read_text()
    assert "`dvc repro score_gan@main` scores this one" in text and "| FD (classifier)" not in text


def test_the_best_generator_is_said_to_be_chosen(root, tmp_path):
    export("gan/main", tmp_path / "model", root, best=True)
    text = (tmp_path / "model/README.md").read_text()
    assert "after 0 steps, the best stored one" in text
    assert "| FD (classifier), best stored generator | 40 |" in text
    assert "Chosen: the better one, on 2 samples. Scored on 3 samples." in text
    assert json.loads((tmp_path / "model/network.json").read_text())["step"] == 0


def test_a_folder_that_holds_something_is_left_alone(root, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="not an empty folder"):
        export("gan/main", tmp_path, root)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.slow
def test_a_fresh_interpreter_loads_an_export_by_the_lines_of_its_card(root, tmp_path):
    export("gan/main", tmp_path / "model", root)
    text = (tmp_path / "model/README.md").read_text()
    lines = text.partition("```python\n")[2].partition("```")[0]
    code = f"{lines}\nprint(images.shape, int(images.sum()))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    expected = load("gan/main", root=root).sample(64, 0)["samples"]
    assert done.stdout.strip() == f"{expected.shape} {int(expected.sum())}"


@pytest.mark.slow
def test_a_registered_model_is_a_version_with_the_files_of_the_export(root, tmp_path, monkeypatch):
    import mlflow.entities  # noqa: F401 - as the first import of MLflow it is quiet

    from pipeline.runtime import paths
    from pipeline.tracking import records, store

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setattr(paths, "scratch", lambda: tmp_path / "scratch")
    with pytest.raises(UserError, match=r"dvc\.lock does not know it"):
        export("gan/main", tmp_path / "a", root, name="digits")
    plan = root / "plan/train_gan/main.yaml"
    entry = {"deps": [{"path": "plan/train_gan/main.yaml", "md5": records.md5(plan)}],
             "outs": [{"path": "models/gan/main", "md5": "x.dir"}]}  # fmt: skip
    (root / "dvc.lock").write_text(yaml.safe_dump({"stages": {"train_gan@main": entry}}))
    with pytest.raises(UserError, match="no record of train_gan@main; "):
        export("gan/main", tmp_path / "b", root, name="digits")
    client = store.connect()
    (record,), _ = records.finished(root, root / "figures")
    client.create_run(store.experiment(client, "gan"), tags=record.key)
    for version in ("1", "2"):
        said = export("gan/main", tmp_path / version, root, name="digits")
        assert f"registered as version {version} of digits" in said
    found = client.get_model_version("digits", "2")
    assert found.tags == {"model": "gan/main", "seed": "0"} and found.description.startswith("---")
    (weights,) = (tmp_path / "mlartifacts").rglob("model.safetensors")
    assert weights.read_bytes() == (tmp_path / "2/model.safetensors").read_bytes()
