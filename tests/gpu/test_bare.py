"""Stages run on a machine that has the numerical packages alone: a lent GPU, without DVC, MLflow and the schema."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MISSING = (
    "dask", "distributed", "dvc", "markdown_it", "mlflow", "pydantic", "requests", "rich", "ruamel", "torch_fidelity",
    "voluptuous",
)  # fmt: skip
BARE = f"""
import importlib, runpy, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {MISSING}:
            raise ModuleNotFoundError(f"{{name}} is not there", name=name)

sys.meta_path.insert(0, Missing())
"""
STAGES = sorted(file.stem for file in (ROOT / "stages").glob("*.py"))
NEEDY = {"plan", "report"}
"""Stages that read params.yaml by its schema, or write HTML: they run where the repository lives."""


def bare(folder, code):
    """Run a program in a Python that lacks those packages."""
    environment = os.environ | {"PIPELINE_TRACKING": "off", "PYTHONPATH": str(ROOT), "DVC_ROOT": str(folder)}
    command = [sys.executable, "-c", BARE + code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_stages_are_imported(tmp_path):
    bare(tmp_path, f"for stage in {sorted(set(STAGES) - NEEDY)}: importlib.import_module(f'stages.{{stage}}')")


@pytest.fixture
def plans():
    """The plans of one tiny GAN by stage, made where the schema is."""
    pytest.importorskip("pydantic")
    from checkout import params

    from pipeline.config.params import expand

    content = params()
    content["data"] = {"shapes": {"source": "shapes32", "train": 40, "test": 20}}
    for section in content.values():
        if "runs" in section:
            section["runs"] = {}
    evaluator = {"data": "shapes", "samples": 20, "kid_subset_size": 10, "splits": 2}
    content["features"]["runs"] = {"shapes": evaluator}
    content["gan"].update(
        network="mlp", width=4, latent=4, batch=8, steps=2, log_every=1, snapshots=[], seeds=[0], shown_dimensions=[0],
        runs={"tiny": {"data": "shapes", "features": "shapes"}},
    )  # fmt: skip
    return {plan.stage: plan for plan in expand(content)}


@pytest.mark.slow
def test_a_gan_is_trained(tmp_path, plans):
    for stage in ("data", "train_gan"):
        path = tmp_path / plans[stage].path
        path.parent.mkdir(parents=True)
        path.write_text(plans[stage].text())
        bare(tmp_path, f"sys.argv[1:] = [{str(path)!r}]\nrunpy.run_module('stages.{stage}', run_name='__main__')")
    assert (tmp_path / plans["train_gan"].output / "seed_0-critic.safetensors").is_file()
