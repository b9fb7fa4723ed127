"""Whatever params.yaml allows can be run and reported: random small runs of all families, up to the rendered report."""

import contextlib
import importlib
import shutil
from pathlib import Path
from typing import Any

import checkout
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from pipeline.config.params import expand
from pipeline.data import checksum
from pipeline.report.render import render
from pipeline.runtime.errors import UserError
from stages.job import Job

pytestmark = pytest.mark.slow

ORDER = (
    "data", "features", "score_real", "train_vae", "likelihood", "score_samples", "train_flow", "score_flow", "planar",
    "train_simsiam", "score_simsiam", "dirac", "animate", "train_gan", "score_gan",
)  # fmt: skip
SHAPES = {"binary": (1, 28, 28), "grey": (1, 28, 28), "small": (1, 16, 16), "colour": (3, 16, 16), "tiny": (3, 8, 8)}
SMALL: dict[str, dict[str, Any]] = {
    "features": {"width": 2, "dimensions": 4, "epochs": 4, "batch": 16, "samples": 12, "splits": 2, "kid_subsets": 2,
                 "kid_subset_size": 8, "neighbours": 2, "learning_rate": 0.01},
    "vae": {"hidden": 8, "latent": 3, "epochs": 2, "seeds": [0], "importance_samples": [1, 4], "elbo_samples": 1},
    "samples": {"count": 12},
    "flow": {"points": 50, "steps": 200, "batch": 16, "seeds": [0]},
    "planar": {"points": 20, "dimensions": [4, 16], "depths": [1, 2]},
    "simsiam": {"width": 2, "projector_hidden": 8, "projector_output": 4, "predictor_hidden": 4, "epochs": 2,
                "batch": 16, "knn_neighbours": 5, "learning_rate": 0.05},
    "dirac": {"steps": 1000, "initial_points": 2, "frames": 2},
    "gan": {"width": 4, "latent": 11, "steps": 4, "critic_steps": 1, "batch": 8, "log_every": 2, "snapshots": [2],
            "samples": 12, "final_samples": 14, "normalisation_batches": 1, "perturbed_dimensions": 2,
            "perturbed_latents": 3, "interpolation_pairs": 2, "shown_dimensions": [0]},
}  # fmt: skip


def some(values: dict[str, list[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Override some hyperparameters by some of their values."""
    return st.fixed_dictionaries({}, optional={key: st.sampled_from(options) for key, options in values.items()})


VAE = some({
    "network": ["mlp", "mlp_shallow", "conv", "conv32"], "posterior": ["gaussian", "mean", "deterministic"],
    "likelihood": ["bernoulli", "gaussian", "gaussian_standardised", "cross_entropy", "cross_entropy_standardised"],
    "flow_layers": [0, 2], "beta": [0.0, 0.8, 1.0, 1.2], "beta_schedule": ["constant", "linear"],
    "kl": ["analytic", "monte_carlo"], "snapshots": [[], [1]], "seeds": [[0], [3, 5]], "tsne": [False, True],
    "importance_samples": [[1], [2, 6], [200]], "epochs": [1, 3],
}).map(lambda run: run | {"flow_layers": 0} if run.get("posterior", "gaussian") != "gaussian" else run)  # fmt: skip
GAN = some({
    "network": ["dcgan", "residual", "resnet", "mlp"], "loss": ["jsd", "ns", "lsgan", "w1", "hinge"],
    "penalty": ["none", "r1", "r2", "gp", "lp"], "spectral_norm": [False, True], "snapshots": [[], [0], [2, 4]],
    "normalisation": ["standing", "batch"], "seeds": [[0], [1, 2]], "steps": [4, 5],
    "shown_dimensions": [[0], [1, 0]], "perturbation_scales": [[1.0], [0.5, 2.0]], "log_every": [1, 9],
})  # fmt: skip
SIMSIAM = some({
    "backbone": ["resnet10", "resnet18"], "stem": ["imagenet", "cifar", "halving"], "epochs": [1, 2],
    "predictor": ["mlp", "identity", "fixed"], "stop_gradient": [True, False], "seeds": [[0], [1, 2]],
    "knn_features": ["backbone", "projector"],
})  # fmt: skip
FLOW = some({
    "depth": [1, 3], "densities": [["arcs"], ["sine", "arcs"]], "constraints": [["smooth"], ["in_place", "smooth"]],
    "seeds": [[0], [1, 2]], "steps": [200, 400],
})  # fmt: skip
FEATURES = some({
    "network": ["classifier", "resnet"], "reference": ["train", "test"], "augment": ["none", "crop_flip"],
})  # fmt: skip
GAME = st.fixed_dictionaries({
    "loss": st.sampled_from(["jsd", "w1"]), "penalty": st.sampled_from(["none", "r1", "gp"]),
    "penalty_weight": st.sampled_from([0.0, 0.1, 5.0]), "ema": st.booleans(),
})  # fmt: skip
NAMES = {
    "vae": ["bernoulli", "bernoulli_mc", "bernoulli_conv", "flow_4", "mlp_standardised", "beta_1", "beta_linear",
            "ae_16", "other"],
    "gan": ["main", "mlp", "jsd_1", "vanilla", "wgan_lp", "other"],
    "simsiam": ["default", "no_predictor", "other"],
    "flow": ["k2", "k8", "other"],
    "dirac": ["jsd_1", "w1_3", "w1_8", "other"],
}  # fmt: skip


def runs(family: str, most: int, overrides: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(NAMES[family]), overrides, max_size=most)


@st.composite
def allowed(draw: st.DrawFn, data: Path) -> dict[str, Any]:
    """Draw a params.yaml: each family has few runs, all on one of the user's own data sets."""
    content = checkout.params()
    for section, values in SMALL.items():
        content[section] |= values
        content[section]["runs"] = {}
    content["dirac"].pop("runs")
    shape = draw(st.sampled_from(sorted(SHAPES)))
    splits = draw(st.sampled_from([["train"], ["train", "test"], ["train", "valid", "test"]]))
    labelled = draw(st.sampled_from([True, True, True, False]))
    content["data"] = {"mine": own(data, shape, splits, labelled)}
    named = {"data": "mine"}
    vaes = draw(runs("vae", 3, VAE))
    content["vae"]["runs"] = {name: named | run for name, run in vaes.items()}
    content["simsiam"]["runs"] = {name: named | run for name, run in draw(runs("simsiam", 1, SIMSIAM)).items()}
    content["flow"]["runs"] = draw(runs("flow", 2, FLOW))
    content["planar"]["runs"] = draw(st.sampled_from([{}, {"layers": {}}]))
    content["dirac"]["games"] = draw(st.dictionaries(st.sampled_from(NAMES["dirac"]), GAME, min_size=1, max_size=3))
    content["dirac"]["learning_rate"] = draw(st.sampled_from([0.1, 2.0]))
    if labelled and draw(st.booleans()):
        content["features"]["runs"] = {"own": named | draw(FEATURES)}
        scored = named | {"features": "own"}
        content["gan"]["runs"] = {name: scored | run for name, run in draw(runs("gan", 2, GAN)).items()}
        content["samples"]["runs"] = {name: scored | {"vae": name} for name in list(vaes)[:1]}
    return content


def own(folder: Path, shape: str, splits: list[str], labelled: bool) -> dict[str, Any]:
    """Write arrays of two classes that are easily told apart; return their entry in the section `data`."""
    random, arrays = np.random.default_rng(0), dict[str, np.ndarray]()
    for split in splits:
        labels = np.arange(42 if split == "train" or len(splits) == 1 else 36) % 2
        images = random.integers(0, 60, (len(labels), *SHAPES[shape]), dtype=np.uint8)
        images[labels == 1, :, : SHAPES[shape][1] // 2] += 150
        arrays[f"{split}_images"] = (images > 40).astype(np.uint8) if shape == "binary" else images
        if labelled:
            arrays[f"{split}_labels"] = np.array(["left", "right|<i>"])[labels]
    place = folder / "own.npz"
    np.savez(place, **arrays)  # type: ignore[arg-type]
    return {"source": "arrays", "path": str(place), "sha256": checksum.of(place), "test_share": 0.45}


@settings(
    deadline=None, max_examples=4, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(drawn=st.data())
def test_whatever_is_allowed_can_be_run_and_reported(tmp_path: Path, drawn: st.DataObject) -> None:
    root = tmp_path / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    try:
        plans = expand(drawn.draw(allowed(tmp_path)))
    except UserError as error:
        event(f"refused by plan: {error}")
        return
    lost: set[str] = set()
    with contextlib.chdir(root), pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIPELINE_DEVICE", "cpu")
        patch.setenv("DVC_ROOT", str(root))
        for plan in sorted(plans, key=lambda plan: ORDER.index(plan.stage)):
            plan.path.parent.mkdir(parents=True, exist_ok=True)
            plan.path.write_text(plan.text())
            if lost & set(plan.inputs.values()):
                lost.add(plan.output)
                continue
            Path(plan.output).mkdir(parents=True, exist_ok=True)
            try:
                job = Job(plan, Path(plan.output), root / ".scratch" / plan.address, lambda *_: None)
                importlib.import_module(f"stages.{plan.stage}").main(job)
            except UserError as error:  # a sentence, and no output
                event(f"refused by {plan.stage}: {' '.join(str(error).split()[:9])}")
                shutil.rmtree(plan.output)
                lost.add(plan.output)
        render(root, root / "reports", allow_missing=bool(lost))
    assert "<i>" not in (root / "reports/report.md").read_text()
