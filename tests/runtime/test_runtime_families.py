"""Every family's training, killed after each row of its history, ends with the bytes of an undisturbed one."""

import importlib

import pytest
import torch
from checkout import params

from pipeline.config.params import expand
from pipeline.runtime import history
from pipeline.runtime.checkpoint import Checkpoint
from pipeline.runtime.context import silent
from stages.job import Job

pytestmark = pytest.mark.slow

SHAPES, DIGITS = {"data": "shapes32"}, {"data": "binarized_digits28"}
TINY = {
    "train_vae": (
        "vae",
        DIGITS,
        {"hidden": 8, "latent": 4, "flow_layers": 2, "beta_schedule": "linear", "epochs": 3, "snapshots": [1]},
    ),
    "train_gan": (
        "gan",
        {**SHAPES, "features": "a"},
        {
            "network": "dcgan", "width": 4, "latent": 8, "penalty": "r1", "penalty_interval": 2, "batch": 8,
            "shown_dimensions": [0], "perturbed_dimensions": 4, "generator_decay_steps": 5, "steps": 5, "log_every": 2,
            "snapshots": [0, 3], "seeds": [0, 1],
        },
    ),
    "train_simsiam": (
        "simsiam",
        SHAPES,
        {
            "width": 2, "projector_hidden": 8, "projector_output": 8, "predictor_hidden": 4, "batch": 16,
            "knn_neighbours": 5, "epochs": 3, "seeds": [0, 1],
        },
    ),
    "features": (
        "features",
        SHAPES,
        {
            "width": 4, "dimensions": 8, "batch": 20, "epochs": 3, "samples": 20, "splits": 2, "kid_subsets": 2,
            "kid_subset_size": 10,
        },
    ),
    "train_flow": ("flow", {}, {"depth": 2, "points": 300, "steps": 600, "seeds": [0, 1]}),
}  # fmt: skip
"""For each stage that trains: its family, what its one run names, and hyperparameters that make it short."""


class Killed(BaseException):
    """Nothing may catch it."""


@pytest.fixture(autouse=True)
def settled():
    """Set back what a stage decides for its own process."""
    threads, mode = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    yield
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode(mode)


@pytest.fixture(scope="module")
def plans():
    """The plans of a params.yaml with one short run of every family, by stage."""
    content = params()
    content["data"] = {"binarized_digits28": {"source": "binarized_digits28"}}
    content["data"]["shapes32"] = {"source": "shapes32", "train": 40, "test": 20}
    for section in content.values():
        if "runs" in section:
            section["runs"] = {}
    for family, names, hyperparameters in TINY.values():
        content[family].update(hyperparameters, runs={"a": names})
    return {plan.stage if plan.stage != "data" else plan.run: plan for plan in expand(content)}


@pytest.fixture
def stage(tmp_path, monkeypatch, plans):
    """Run a stage in a folder of its own, with its data beside it, and return the bytes that it wrote."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIPELINE_CHECKPOINT_SECONDS", "0")

    def run(plan, attempt):
        output, scratch = tmp_path / attempt / plan.output, tmp_path / attempt / "scratch"
        for folder in (output, scratch):
            folder.mkdir(parents=True, exist_ok=True)
        importlib.import_module(f"stages.{plan.stage}").main(Job(plan, output, scratch, silent))
        return {file.name: file.read_bytes() for file in output.iterdir()}

    for name in ("binarized_digits28", "shapes32"):
        run(plans[name], ".")
    return run


@pytest.mark.parametrize("name", TINY)
def test_killed_after_every_row_it_ends_with_the_same_bytes(stage, plans, tmp_path, monkeypatch, name):
    straight, save = stage(plans[name], "straight"), Checkpoint.save

    def save_and_die(self, state, *, now=False):
        save(self, state, now=now)
        raise Killed

    monkeypatch.setattr(Checkpoint, "save", save_and_die)
    kills, files = 0, None
    while files is None:
        try:
            files = stage(plans[name], "killed")
        except Killed:
            kills += 1
    rows = history.read(tmp_path / "straight" / plans[name].output / "history.csv")
    together = len({row["seed"] for row in rows}) if name == "train_flow" else 1  # seeds that are trained as one
    assert kills == len(rows) / together > 2
    assert any(file.endswith(".safetensors") for file in files)
    assert files == straight
