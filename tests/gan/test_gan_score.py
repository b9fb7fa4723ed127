"""Sampling, latent studies and scores, on generators whose images are known."""

import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.data import store
from pipeline.features import evaluator
from pipeline.features.classifier import WEIGHTS, Classifier
from pipeline.features.evaluator import Evaluator, load_network
from pipeline.features.network import FeatureNetwork
from pipeline.features.settings import EvaluatorDescription, Layout
from pipeline.features.settings import Scoring as FeatureScoring
from pipeline.gan import network, studies
from pipeline.gan.evaluate import Generated, RealStatistics, evaluate
from pipeline.gan.model import Scale, TrainedGan
from pipeline.gan.sample import Sampler, sample_latents
from pipeline.gan.score import score
from pipeline.gan.settings import (
    Averaging,
    Network,
    Objective,
    Optimiser,
    Sampling,
    Schedule,
    Scoring,
    Studies,
    Training,
)
from pipeline.gan.studies import Space
from pipeline.gan.train import train
from pipeline.metrics import pictures
from pipeline.runtime import weights
from pipeline.runtime.context import Context

CPU = torch.device("cpu")
UNIT = Scale(0.0, 1.0)  # the networks see grey levels in [0, 1]
SCORING = FeatureScoring(splits=2, kid_subsets=2, kid_subset_size=10, neighbours=3)


class Painter(nn.Module):
    """Grey level 0.5 + z / 20: four latent dimensions make the four quarters of a 4x4 image."""

    def forward(self, z):
        return (0.5 + z.view(-1, 1, 2, 2) / 20).repeat_interleave(2, 2).repeat_interleave(2, 3)


IMAGES = torch.randint(0, 256, (60, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def grey_levels():
    """An evaluator whose features are the grey levels of the quarters; the label is the brightest one."""

    def forward(images):
        features = images[:, :, ::2, ::2].float().flatten(1)
        return features, features

    network = FeatureNetwork(forward, "grey levels", {"feature_network": "grey levels", "resize": "none"})
    return Evaluator.of(network, IMAGES, SCORING, "noise")


def sampler(generator, scale=UNIT, normalisation="batch", latent=4, precision="fp32", batches=200):
    random = torch.Generator().manual_seed(0)
    return Sampler(generator, scale, Sampling(normalisation, batches, precision), latent, random)


def space():
    return Space(sampler(Painter()), grey_levels(), 1.0)


LATENTS = sample_latents(50, 4, (0, "test"), CPU)


def test_standing_statistics_are_the_mean_over_batches_and_hold_for_a_single_image():
    layer = nn.BatchNorm2d(4, affine=False)
    painter = nn.Sequential(nn.Unflatten(1, (4, 1, 1)), layer)
    layer.running_mean.fill_(99.0)
    work = sampler(painter, normalisation="standing")
    torch.testing.assert_close(layer.running_mean, torch.zeros(4), rtol=0, atol=0.05)
    torch.testing.assert_close(layer.running_var, torch.ones(4), rtol=0.05, atol=0)
    torch.testing.assert_close(work.raw(LATENTS[:1]), work.raw(LATENTS)[:1])
    before = layer.running_mean.clone()
    work.images(LATENTS)
    assert torch.equal(before, layer.running_mean)


def test_batch_statistics_are_those_of_the_batch():
    work = sampler(nn.Sequential(nn.Unflatten(1, (4, 1, 1)), nn.BatchNorm2d(4, affine=False)))
    images = work.raw(LATENTS)
    torch.testing.assert_close(images.mean(0).flatten(), torch.zeros(4), rtol=0, atol=1e-6)


def test_all_latents_are_used_and_follow_their_key():
    assert len(sampler(Painter()).images(sample_latents(131, 4, (1, "x"), CPU))) == 131
    assert torch.equal(sample_latents(5, 4, (1, "x"), CPU), sample_latents(5, 4, (1, "x"), CPU))
    assert not torch.equal(sample_latents(5, 4, (1, "x"), CPU), sample_latents(5, 4, (2, "x"), CPU))


def test_perturbations_of_a_generator_that_paints_one_pixel_per_dimension():
    found = studies.perturbations(space(), LATENTS, 3, [1.0, 1000.0])
    small, large = found["1"], found["1000"]
    # one quarter moves by 255 / 20 = 12.75 levels: 13 or 12 after rounding
    assert small["distance"] == pytest.approx([12.75] * 3, abs=0.3)
    assert small["colour"] == pytest.approx([12.75 / 4] * 3, abs=0.1)
    # far out, the perturbed quarter is brightest, clipped at white
    assert large["entropy"] == [0, 0, 0]
    brightest = space().generate(LATENTS)[2].argmax(1)
    assert large["flips"] == pytest.approx([(brightest != d).double().mean().item() for d in range(3)])
    assert found["1"]["overlap"] == 1  # all three are among the ten leaders of both rankings


def test_pictures_of_perturbations_are_in_order_of_dimension_and_scale():
    work = sampler(Painter())
    grids = studies.perturbed(work, LATENTS[:5], [2, 0], [1.0, 3.0])
    shifted = LATENTS[:5].clone()
    shifted[:, 0] += 3
    assert grids.shape == (2, 2, 5, 1, 4, 4)
    assert torch.equal(grids[1, 1], work.images(shifted))


def test_the_square_varies_two_dimensions_of_one_latent():
    latents = studies.square(LATENTS[0])
    assert torch.equal(latents[:, 2:], LATENTS[0, 2:].expand(100, 2))
    table = latents.view(10, 10, 4)
    torch.testing.assert_close(table[:, 0, 0], torch.linspace(-1, 1, 10))
    torch.testing.assert_close(table[3, :, 1], torch.linspace(-1, 1, 10))


def test_a_traversal_of_a_linear_generator_is_even():
    found = studies.traversal(space(), LATENTS[:3] / 10)
    assert found["path"] == pytest.approx(2 * 255 / 20, abs=1)  # from -1 to 1, rounded to whole levels
    assert found["unevenness"] < 1.1


def test_interpolations_of_a_linear_generator_are_the_same_in_both_spaces():
    critic = nn.Sequential(nn.Flatten(), nn.Linear(16, 1), nn.Flatten(0))
    found = studies.interpolations(space(), critic, LATENTS[:25], LATENTS[25:])
    for key, values in found["latent"].items():
        assert len(values) == (10 if key == "step" else 11)
        assert values == pytest.approx(found["pixel"][key], rel=0.05, abs=1e-3)
    mixed = studies.mixtures(sampler(Painter()), LATENTS[:25], LATENTS[25:])
    assert mixed["latent"].shape == mixed["pixel"].shape == (11, 25, 1, 4, 4)
    for end, latents in ((0, LATENTS[25:]), (-1, LATENTS[:25])):
        assert torch.equal(mixed["latent"][end], sampler(Painter()).images(latents))
        assert torch.equal(mixed["pixel"][end], mixed["latent"][end])


class Switch(nn.Module):
    """Black or white, by the sign of the first latent dimension: every path has one step."""

    def forward(self, z):
        return (z[:, 0] > 0).float().view(-1, 1, 1, 1).expand(-1, 1, 4, 4)


def test_a_jump_is_the_whole_of_a_path():
    latents = torch.eye(4)[:1].repeat(3, 1)
    critic = nn.Sequential(nn.Flatten(), nn.Linear(16, 1), nn.Flatten(0))
    found = studies.interpolations(Space(sampler(Switch()), grey_levels(), 1.0), critic, latents, -latents)
    assert sum(value > 0 for value in found["latent"]["step"]) == 1
    assert found["pixel"]["step"] == pytest.approx([sum(found["latent"]["step"]) / 10] * 10, rel=0.05)


def test_gradients_of_a_linear_critic_are_its_weights_everywhere():
    critic = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False), nn.Flatten(0))
    real, fake = torch.rand(300, 1, 2, 2), torch.rand(300, 1, 2, 2)
    found = studies.norms_between(critic, real, fake, torch.Generator().manual_seed(0))
    torch.testing.assert_close(found, critic[1].weight.norm().expand(300))
    summary = studies.summary_of_norms(torch.tensor([1.0, 1.0, 1.0, 2.0]))
    assert summary == pytest.approx({"mean": 1.25, "spread": 0.5, "percentile_99": 1.97, "above_1.1": 0.25})


def test_scores_of_images_that_are_the_reference_itself():
    grey = grey_levels()
    real = RealStatistics.of(grey, IMAGES)
    found = evaluate(grey, Generated.of(grey, IMAGES), real)
    assert found["frechet_distance"] == pytest.approx(0, abs=1e-6)
    assert (found["precision"], found["label_distance"]) == (1, 0)
    assert (found["diversity"], found["sharpness"]) == pytest.approx((1, 1))
    one = evaluate(grey, Generated.of(grey, IMAGES[:1].repeat(60, 1, 1, 1)), real)
    assert one["label_entropy"] == pytest.approx(0, abs=1e-12)
    assert (one["missing_classes"], one["diversity"]) == (3, 0)


def test_measures_of_pictures_by_hand():
    checks = (torch.arange(64).view(8, 8) + torch.arange(8)[:, None]) % 2 * 1.0
    inside = -8 * checks[1:-1, 1:-1] + 4  # every neighbour differs
    padded = nn.functional.conv2d(checks[None, None], torch.tensor([[[[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]]]))
    torch.testing.assert_close(padded[0, 0], inside)
    assert pictures.sharpness(checks.expand(1, 3, 8, 8)).item() == pytest.approx(inside.var().item())
    assert pictures.sharpness(torch.full((2, 3, 8, 8), 0.3)).tolist() == pytest.approx([0, 0], abs=1e-12)
    half = torch.tensor([0.5, 0.5, 0.0])
    assert pictures.entropy(half).item() == pytest.approx(math.log(2))
    assert pictures.shares(torch.tensor([0, 0, 2, 0]), 4).tolist() == [0.75, 0, 0.25, 0]
    assert pictures.total_variation(half, torch.tensor([0.0, 0.5, 0.5])) == pytest.approx(0.5)
    assert pictures.mean_distance(torch.tensor([[0.0, 0], [3, 4], [0, 0]])) == pytest.approx(10 / 3)


@pytest.mark.parametrize("architecture", ["dcgan", "residual", "resnet"])
@pytest.mark.parametrize("normalisation", ["standing", "batch"])
def test_samples_in_bf16_are_those_of_fp32_but_for_a_few_grey_levels(architecture, normalisation):
    """Half a level on average: the output itself is rounded to a quarter of one."""
    found = []
    for precision in ("fp32", "bf16"):
        torch.manual_seed(0)
        generator, _ = network.build(Network(architecture, 4, 8, spectral_norm=False), (3, 32, 32))
        work = sampler(generator, Scale(0.5, 0.5), normalisation, 8, precision, batches=2)
        found.append(work.images(sample_latents(64, 8, (0, "bf16"), CPU)).float())
    assert 0 < (found[0] - found[1]).abs().mean() < 0.5


@pytest.fixture
def folders(tmp_path):
    """A data set of noise, an untrained classifier as evaluator, and a run of two seeds with untrained networks."""
    data, features, model = (tmp_path / name for name in ("data", "features", "model"))
    for folder in (data, features, model):
        folder.mkdir()
    images = np.random.default_rng(0).integers(0, 256, (40, 1, 16, 16), dtype=np.uint8)
    np.save(data / "test_images.npy", images)
    card = {"name": "noise", "classes": ["a", "b", "c"], "levels": 256, "counts": {"test": 40}, "shape": [1, 16, 16]}
    (data / "card.json").write_text(json.dumps(card))
    layout = Layout("classifier", width=2, dimensions=5, channels=1, size=16, classes=3)
    torch.manual_seed(0)
    weights.save(features, WEIGHTS, weights.of(Classifier(layout)))
    description = EvaluatorDescription(layout, "fp32", "noise", "noise, test", SCORING, ("a", "b", "c"))
    feature_network = load_network(features, description, CPU)
    Evaluator.of(feature_network, torch.from_numpy(images), SCORING, "noise, test").save(features, description)
    trained = TrainedGan(Network("mlp", 6, 4, spectral_norm=True), (1, 16, 16), Scale(0.5, 0.3), (0, 3), (0, 7))
    trained.save(model)
    for seed in trained.seeds:
        generator, critic = network.build(trained.network, trained.shape)
        for name in ("", "step_0", "raw"):
            weights.save(model, weights.name(seed, name), weights.of(generator))
        weights.save(model, weights.name(seed, "critic"), weights.of(critic))
    return data, model, features


STUDIES = Studies(
    perturbed_dimensions=100, shown_dimensions=(1, 3), perturbation_scales=(1.0, 10.0), perturbed_latents=6,
    interpolation_pairs=20,
)  # fmt: skip
SETTINGS = Scoring(30, 35, Sampling("standing", 2, "fp32"), STUDIES)


def test_a_run_is_scored_from_its_files_and_twice_the_same(folders, tmp_path):
    outputs = [tmp_path / "first", tmp_path / "second"]
    for output in outputs:
        output.mkdir()
        score(*folders, output, SETTINGS, Context(CPU, tmp_path))
    first, second = (
        {file.relative_to(output): file.read_bytes() for file in output.rglob("*") if file.is_file()}
        for output in outputs
    )
    assert first == second
    metrics = json.loads((outputs[0] / "metrics.json").read_text())
    assert list(metrics["seeds"]) == ["0", "3"]
    for scored in (*metrics["seeds"].values(), metrics["mean"]):
        assert list(scored["snapshots"]) == ["0", "7"]
        assert scored["snapshots"]["7"]["frechet_distance"] != scored["final"]["frechet_distance"]  # 30 and 35 images
        assert scored["final"] == scored["raw"]  # the same weights here
        distances = {int(step): at["frechet_distance"] for step, at in scored["snapshots"].items()}
        assert distances[int(scored["best_step"])] == min(distances.values())
        assert len(scored["perturbations"]["10"]["flips"]) == 4
        assert 0.1 <= scored["paths"]["spherical"]["stride"] <= 1 and "pairs" not in scored["paths"]["linear"]
    protocol = metrics["protocol"]
    assert (protocol["images"], protocol["split"], protocol["generator_precision"]) == (35, "test", "fp32")
    assert protocol["normalisation"] == "standing statistics, mean over 2 batches of 64"
    assert list(metrics["perturbed"]) == ["1", "3"]
    assert set(metrics["perturbed"].values()) <= set(metrics["classes"])
    assert protocol["names"]["frechet_distance"] == "FD (classifier)"
    names = ("samples", "perturbed", "latent", "traversal", "walk")
    shapes = {name: np.load(outputs[0] / f"{name}.npy").shape for name in names}
    picture = (1, 16, 16)
    assert shapes == {
        "samples": (2, 100, *picture), "perturbed": (2, 2, 64, *picture), "latent": (11, 64, *picture),
        "traversal": (100, *picture), "walk": (12, *picture),
    }  # fmt: skip
    assert np.load(outputs[0] / "gradient_norms.npy").shape == (35,)


def test_the_best_generators_are_kept_and_scored_on_other_samples_than_they_were_chosen_by(folders, tmp_path):
    output = tmp_path / "scores"
    output.mkdir()
    score(*folders, output, SETTINGS, Context(CPU, tmp_path))
    _, model, _ = folders
    chosen = json.loads((output / "best/chosen.json").read_text())
    metrics = json.loads((output / "metrics.json").read_text())
    trained = TrainedGan.load(output / "best")
    assert set(chosen["seeds"]) == set(metrics["seeds"]) == {"0", "3"}
    for seed, each in chosen["seeds"].items():
        measured = metrics["seeds"][seed]
        assert each["step"] == measured["best_step"]
        assert each["distance_when_chosen"] == min(at["frechet_distance"] for at in measured["snapshots"].values())
        # other samples of the same generator: another distance, of all of them and of the first 30
        assert len({value for key, value in each.items() if key.startswith("distance")}) == 3
        assert each["distance_on_all_other_samples"] == measured["best"]["frechet_distance"]
        assert (output / "best" / each["file"]).read_bytes() == (model / each["file"]).read_bytes()
        kept, stored = (trained.generator(place, int(seed), each["step"], CPU) for place in (output / "best", model))
        assert torch.equal(kept.eval()(LATENTS), stored.eval()(LATENTS))
    assert "30 samples" in chosen["chosen_on"] and "35 samples from other latents" in chosen["scored_on"]


def test_a_set_without_a_test_split_is_trained_on_and_scored_and_the_protocol_says_so(folders, tmp_path):
    data, _, features = folders
    (data / "test_images.npy").rename(data / "train_images.npy")
    card = json.loads((data / "card.json").read_text())
    (data / "card.json").write_text(json.dumps(card | {"counts": {"train": 40}}))
    output, trained, context = tmp_path / "scores", tmp_path / "trained", Context(CPU, tmp_path / "scratch")
    for folder in (output, trained):
        folder.mkdir()
    adam = Optimiser(1e-3, (0.5, 0.9), 0.0, 0)
    training = Training(
        Network("mlp", 6, 4, spectral_norm=False), Objective("w1", "gp", 1.0, 1, "usual", "image"), adam, adam,
        Averaging(0.5, ema_warmup=False), Schedule(4, 1, 8, (0,), 2, (2,)), "fp32",
    )  # fmt: skip
    train(data, trained, training, context)
    score(data, trained, features, output, SETTINGS, context)
    metrics = json.loads((output / "metrics.json").read_text())
    assert metrics["protocol"]["split"] == "train"
    assert list(metrics["seeds"]["0"]["snapshots"]) == ["2", "4"]
    real = RealStatistics.of(evaluator.load(features, CPU, (1, 16, 16)), store.load(data, CPU).split("train"))
    assert metrics["real"]["shares"] == real.summary()["shares"]
