import json
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.data import store
from pipeline.data.errors import DataError
from pipeline.data.store import DataSet
from pipeline.metrics import latent_map
from pipeline.metrics.likelihood import rows
from pipeline.runtime.checkpoint import Checkpoint
from pipeline.runtime.context import Context
from pipeline.runtime.errors import UserError
from pipeline.vae import model as models
from pipeline.vae import pictures
from pipeline.vae.likelihood import score
from pipeline.vae.settings import Scoring
from pipeline.vae.train import train

SCORING = Scoring(importance_samples=(1, 10), elbo_samples=3, batch=20, tsne=False)


@pytest.fixture
def scored(strokes, training, context, tmp_path):
    """Return a function that trains with settings that differ, scores, and returns metrics and the output folder."""

    def run(scoring=SCORING, **changes):
        model, output = tmp_path / "model", tmp_path / "scores"
        for folder in (model, output):
            folder.mkdir(exist_ok=True)
        train(strokes, model, training(**changes), replace(context, scratch=tmp_path / "training"))
        score(strokes, model, output, scoring, context)
        return json.loads((output / "metrics.json").read_text()), output

    return run


def test_the_bounds_rise_with_the_number_of_samples(scored):
    metrics, _ = scored(seeds=(0, 1))
    for scores in metrics["seeds"].values():
        assert scores["log_likelihood"]["1"]["value"] < scores["log_likelihood"]["10"]["value"]
        assert scores["log_likelihood"]["1"]["value"] == pytest.approx(scores["elbo"]["test"], rel=0.02)
        assert scores["bits_per_dimension"]["log_likelihood"] < scores["bits_per_dimension"]["elbo"]
        assert set(scores["elbo"]) == {"valid", "test"}
    assert metrics["protocol"]["precision"] == "fp32"
    assert metrics["protocol"]["bits_per_dimension"] == "of the binary pixels"  # which have no noise within a level
    assert sum(layer["parameters"] for layer in metrics["layers"]) == 784 * 8 + 8 + 72 + 90 + 48 + 72 + 784 * 9


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"posterior": "deterministic", "beta": None, "beta_schedule": None, "kl": None}, "given the latent itself"),
        ({"likelihood": "cross_entropy"}, "no log-likelihood"),
    ],
)
def test_where_there_is_no_elbo_the_protocol_says_why(scored, changes, reason):
    metrics, _ = scored(replace(SCORING, importance_samples=None), **changes)
    assert reason in metrics["protocol"]["elbo"]
    assert not {"elbo", "log_likelihood", "bits_per_dimension"} & set(metrics["mean"])
    assert metrics["mean"]["reconstruction"] > 0


def test_in_bfloat16_the_likelihood_is_that_of_single_precision_to_two_thousandths(scored, tmp_path, strokes, context):
    exact, output = scored(hidden=32, epochs=20)
    described = json.loads((tmp_path / "model" / models.FILE).read_text())
    (tmp_path / "model" / models.FILE).write_text(json.dumps(described | {"precision": "bf16"}))
    score(strokes, tmp_path / "model", output, SCORING, replace(context, scratch=tmp_path / "other"))
    rounded = json.loads((output / "metrics.json").read_text())
    assert rounded["protocol"]["precision"] == "bf16"
    for k in ("1", "10"):
        value = rounded["mean"]["log_likelihood"][k]["value"]
        assert value != exact["mean"]["log_likelihood"][k]["value"]
        assert value == pytest.approx(exact["mean"]["log_likelihood"][k]["value"], rel=2e-3)


def test_a_likelihood_that_was_interrupted_ends_with_the_same_numbers(scored, monkeypatch, strokes, tmp_path):
    monkeypatch.setattr("pipeline.vae.likelihood.WEIGHTS", 100)  # ten images between two checkpoints
    monkeypatch.setenv("PIPELINE_CHECKPOINT_SECONDS", "0")
    _, output = scored()
    whole, saved, plain = (output / "metrics.json").read_bytes(), [], Checkpoint.save

    def interrupted(self, state, **options):
        plain(self, state, **options)
        saved.append(len(state))
        if len(saved) == 2:
            raise KeyboardInterrupt

    context = Context(torch.device("cpu"), tmp_path / "again")
    monkeypatch.setattr(Checkpoint, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        score(strokes, tmp_path / "model", output, SCORING, context)
    score(strokes, tmp_path / "model", output, SCORING, context)
    assert saved == [1, 2, 3, 4, 5]
    assert (output / "metrics.json").read_bytes() == whole


def test_arrays_are_stored_for_the_report_and_for_comparisons(scored):
    metrics, output = scored(replace(SCORING, tsne=True), snapshots=(1, 2))
    arrays = {path.stem: np.load(path) for path in output.glob("*.npy")}
    shapes = {name: array.shape for name, array in arrays.items()}
    image = (1, 28, 28)
    assert shapes == {
        "originals": (50, *image), "reconstructions": (50, *image), "samples": (pictures.SHOWN, *image),
        "interpolation": (12, *image), "snapshots": (2, pictures.COMPARED, *image),
        "map": (50, 2), "map_labels": (50,), "log_likelihood": (1, 50),
    }  # fmt: skip
    assert all(arrays[name].min() >= 0 and arrays[name].max() <= 1 for name in ("reconstructions", "samples"))
    most = str(max(SCORING.importance_samples))
    assert arrays["log_likelihood"].mean() == pytest.approx(metrics["mean"]["log_likelihood"][most]["value"], rel=1e-9)
    assert set(metrics["latent_map"]) == {"neighbours", "perplexity", "latent", "map"}
    errors = metrics["seeds"]["0"]["snapshots"]
    assert list(errors) == ["1", "2"]
    error = np.square(arrays["snapshots"] - arrays["originals"][: pictures.COMPARED]).mean((1, 2, 3, 4))
    assert error.tolist() == pytest.approx([errors[epoch]["squared_error"] for epoch in errors], rel=0.5)


def test_the_images_shown_are_chosen_at_random_and_the_same_each_time(build):
    classes = torch.arange(50).repeat_interleave(2)  # sorted: the first ones are of few classes
    images = classes.to(torch.uint8)[:, None, None, None].expand(-1, 1, 28, 28)
    data = DataSet({"name": "sorted", "levels": 256, "shape": [1, 28, 28]}, {"test": images}, {"test": classes})
    eight, many = pictures.shown(data, 8), pictures.shown(data, 64)
    assert torch.equal(eight, many[:8]) and torch.equal(many, pictures.shown(data, 64))
    assert len(eight[:, 0, 0, 0].unique()) > 5 and eight[:, 0, 0, 0].max() > 25
    assert len(pictures.shown(data, 1000)) == 100


def test_a_unit_is_active_where_its_mean_varies(build, monkeypatch):
    latents = torch.tensor([[0.0, 0.3, 0.09], [0.0, -0.3, -0.09]]).repeat(50, 1)  # variances 0, 0.09 and 0.008
    monkeypatch.setattr(pictures, "latents", lambda model, images: latents)
    assert pictures.active_units(build(), torch.zeros(100)) == 1


def test_latents_and_pictures_do_not_depend_on_how_many_are_computed_at_once(build, strokes, monkeypatch):
    data, model = store.load(strokes, "cpu"), build(flow_layers=2)
    whole, error = pictures.latents(model, data.split("test")), pictures.squared_error(model, data)
    assert rows(torch.device("cpu")) > len(whole)
    monkeypatch.setattr(pictures, "rows", lambda device: 7)
    torch.testing.assert_close(pictures.latents(model, data.split("test")), whole)
    assert pictures.squared_error(model, data) == pytest.approx(error)


COUNTS = [(30, 2, False), (31, 2, True), (31, 1, False), (31, 30, True), (31, 31, False), (50, 50, False)]


@pytest.mark.parametrize(("count", "classes", "enough"), COUNTS)
def test_a_map_of_too_few_images_or_classes_is_refused(build, tmp_path, count, classes, enough):
    """What is refused is what t-SNE and the measures of separation cannot do, and nothing else."""
    images = torch.randint(2, (count, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(count) % classes
    data = DataSet({"name": "few", "levels": 2}, {"test": images}, {"test": labels})
    with (
        nullcontext() if enough else pytest.raises(DataError, match=f"few has {count} test images of {classes} classes")
    ):
        assert pictures.save_map(build(), data, 0, tmp_path)["map"]
    if not enough and count > 30:
        with pytest.raises(ValueError, match="Number of labels"):
            latent_map.separation(images.flatten(1).numpy(), labels.numpy(), 0)


def test_no_map_of_an_encoder_that_has_collapsed(build, tmp_path):
    model = build()
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    images = torch.randint(2, (40, 1, 28, 28), dtype=torch.uint8)
    data = DataSet({"name": "x", "levels": 2}, {"test": images}, {"test": torch.arange(40) % 2})
    with pytest.raises(UserError, match="all test images have the same latent"):
        pictures.save_map(model, data, 0, tmp_path)
