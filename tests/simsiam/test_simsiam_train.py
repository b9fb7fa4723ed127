import json
import math

import numpy as np
import pytest
import torch

from pipeline.data import store
from pipeline.runtime import history
from pipeline.runtime.checkpoint import Checkpoint
from pipeline.runtime.errors import UserError
from pipeline.runtime.seeding import generator
from pipeline.simsiam import train
from pipeline.simsiam.augment import Augmentation
from pipeline.simsiam.evaluate import embed, measure
from pipeline.simsiam.network import FORMATS, SimSiam, load, memory_format
from pipeline.simsiam.score import score
from pipeline.simsiam.train import cosine, fit, sgd, train_epoch, untrained

CPU = torch.device("cpu")


def quiet(seed, epoch, metrics):
    pass


def run(data, folder, training, log=quiet, **changes):
    output = folder / "out"
    output.mkdir(parents=True)
    fit(data, output, **training | changes, device=CPU, scratch=folder / "scratch", log=log)
    return output


def test_divergence_is_said(data, tmp_path, training):
    with pytest.raises(UserError, match=r"seed 0, epoch 1: .*training has diverged"):
        run(data, tmp_path, training, learning_rate=1e30, seeds=[0])


def test_the_encoders_rate_falls_along_a_cosine_and_the_predictors_stays(data, tmp_path, training, monkeypatch):
    seen = []

    def watched(model, optimiser, *arguments, **settings):
        seen.append([group["lr"] for group in optimiser.param_groups])
        return 0.0

    monkeypatch.setattr(train, "train_epoch", watched)
    run(data, tmp_path, training, epochs=4, seeds=[0])
    start = 0.4 * 16 / 256
    expected = [1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2]
    assert [encoder for encoder, _ in seen] == pytest.approx([start * share for share in expected])
    assert [predictor for _, predictor in seen] == [start] * 4


def test_the_schedule_is_torchs():
    weight = torch.nn.Parameter(torch.zeros(()))
    optimiser = torch.optim.SGD([weight], lr=0.12)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=102)
    for epoch in range(1, 103):
        assert cosine(0.12, epoch, 102) == pytest.approx(optimiser.param_groups[0]["lr"], abs=1e-12)
        optimiser.step()
        schedule.step()


def test_groups_are_encoder_and_predictor_without_what_is_frozen(network):
    for predictor, size in (("mlp", 5), ("identity", 0), ("fixed", 0)):
        model = SimSiam(**network | {"predictor": predictor})
        encoder, rest = (group["params"] for group in sgd(model, lr=1.0, momentum=0.9, weight_decay=0.0).param_groups)
        assert len(rest) == size
        parts = [*model.backbone.parameters(), *model.projector.parameters()]
        assert {id(p) for p in encoder} == {id(p) for p in parts} - {id(model.projector[6].bias)}


def test_an_epoch_is_one_step_per_full_batch_of_the_written_out_update(data, training):
    """Two steps by hand: views, forward passes one view after the other, loss, momentum and weight decay."""
    images = store.load(data, CPU)
    augmentation = Augmentation(**training["augmentation"])
    settings = {"batch": 16, "stop_gradient": True}
    model = untrained(training["network"], 0, CPU)
    optimiser = sgd(model, lr=0.1, momentum=0.9, weight_decay=0.01)
    loss = train_epoch(model, optimiser, images, augmentation, generator(1), precision="fp32", **settings)

    twin = untrained(training["network"], 0, CPU).train()
    random = generator(1)
    order = torch.randperm(40, generator=random)
    momentum: dict[str, torch.Tensor] = {}
    losses = []
    for index in (order[:16], order[16:32]):
        pixels = images.images["train"][index].float() / 255
        first, second = (augmentation.view(pixels, random) for _ in range(2))
        z1, z2 = (twin.projector(twin.backbone((view - twin.mean) / twin.deviation)) for view in (first, second))
        p1, p2 = twin.predictor(z1), twin.predictor(z2)
        unit = torch.nn.functional.normalize
        value = -((unit(p1) * unit(z2.detach())).sum(1) + (unit(p2) * unit(z1.detach())).sum(1)).mean() / 2
        losses.append(value.item())
        named = {name: p for name, p in twin.named_parameters() if p.requires_grad}
        gradients = torch.autograd.grad(value, list(named.values()))
        with torch.no_grad():
            for (name, p), gradient in zip(named.items(), gradients, strict=True):
                momentum[name] = 0.9 * momentum.get(name, 0.0) + gradient + 0.01 * p
                p -= 0.1 * momentum[name]
    assert loss == pytest.approx(sum(losses) / 2, rel=1e-5)
    for name, p in twin.named_parameters():
        torch.testing.assert_close(model.get_parameter(name), p, rtol=1e-4, atol=1e-5)


def test_a_fixed_predictor_stays_as_it_was_drawn(data, tmp_path, training):
    settings = training["network"] | {"predictor": "fixed"}
    output = run(data, tmp_path, training, network=settings, seeds=[3])
    start, trained = untrained(settings, 3, CPU), load(output, CPU)[3]
    for name, p in start.predictor.named_parameters():
        assert torch.equal(p, trained.predictor.get_parameter(name)), name
    assert not torch.equal(start.backbone.conv1.weight, trained.backbone.conv1.weight)


def test_variants_start_from_the_same_encoder(training):
    first, *others = (
        untrained(training["network"] | {"predictor": predictor}, 0, CPU) for predictor in ("mlp", "identity", "fixed")
    )
    for other in others:
        for part in ("backbone", "projector"):
            for name, p in getattr(first, part).named_parameters():
                assert torch.equal(p, getattr(other, part).get_parameter(name))


@pytest.mark.parametrize("stopped_after", [2, 4])
def test_a_resumed_training_ends_with_the_same_bytes(data, tmp_path, training, monkeypatch, stopped_after):
    monkeypatch.setenv("PIPELINE_CHECKPOINT_SECONDS", "0")
    whole = run(data, tmp_path / "whole", training)
    calls = []

    def interrupt(seed, epoch, metrics):
        calls.append(epoch)
        if len(calls) > stopped_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(data, tmp_path / "cut", training, log=interrupt)
    output = tmp_path / "cut/again"
    output.mkdir()
    resumed = []
    fit(
        data, output, **training, device=CPU, scratch=tmp_path / "cut/scratch",
        log=lambda seed, epoch, metrics: resumed.append((seed, epoch)),
    )  # fmt: skip
    assert len(resumed) == 6 - stopped_after
    for file in sorted(whole.iterdir()):
        assert file.read_bytes() == (output / file.name).read_bytes(), file.name


def test_the_curve_holds_what_the_saved_network_measures(data, tmp_path, training):
    output = run(data, tmp_path, training)
    rows = history.read(output / "history.csv")
    assert [(row["seed"], row["epoch"]) for row in rows] == [(s, e) for s in (0, 1) for e in (1, 2, 3)]
    images = store.load(data, CPU)
    for seed, model in load(output, CPU).items():
        bank, test = (embed(model, images, split, "fp32")["projector"] for split in ("train", "test"))
        measured = measure(bank, test, images, neighbours=5, temperature=0.1)
        last = next(row for row in rows if (row["seed"], row["epoch"]) == (seed, 3))
        assert {key: last[key] for key in measured} == measured
        assert -1 <= last["loss"] <= 1


def test_features_are_measured_without_touching_the_network(data, network):
    model, images = SimSiam(**network).train(), store.load(data, CPU)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    features = embed(model, images, "test", "fp32")
    assert model.training and all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    model.eval()
    torch.testing.assert_close(features["backbone"], model.represent(images.unit(images.images["test"])))
    torch.testing.assert_close(features["projector"], model.project(features["backbone"]))


def test_memory_formats_agree_to_rounding_and_bf16_does_not(data, training, monkeypatch):
    images, views = store.load(data, CPU), Augmentation(**training["augmentation"])
    losses = {}
    for name, precision in (("channels_last", "fp32"), ("contiguous", "fp32"), ("channels_last", "bf16")):
        monkeypatch.setenv("PIPELINE_MEMORY_FORMAT", name)
        model = untrained(training["network"], 0, CPU)
        assert model.backbone.layer1[0].conv1.weight.is_contiguous(memory_format=FORMATS[name])
        optimiser = sgd(model, lr=0.01, momentum=0.9, weight_decay=0.0)
        losses[name, precision] = train_epoch(
            model, optimiser, images, views, generator(0), batch=40, stop_gradient=True, precision=precision
        )  # fmt: skip
    assert losses["channels_last", "fp32"] == pytest.approx(losses["contiguous", "fp32"], abs=1e-5)
    assert 1e-5 < abs(losses["channels_last", "bf16"] - losses["channels_last", "fp32"]) < 0.05


def test_an_unknown_memory_format_is_named(monkeypatch):
    monkeypatch.setenv("PIPELINE_MEMORY_FORMAT", "rows")
    with pytest.raises(UserError, match="PIPELINE_MEMORY_FORMAT=rows: not one of channels_last, contiguous"):
        memory_format()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch": 41}, "twotone has 40 training images; simsiam.batch is 41"),
        ({"knn_neighbours": 50}, "simsiam.knn_neighbours is 50, at most 40"),
    ],
)
def test_what_does_not_fit_the_data_is_refused(data, tmp_path, training, change, message):
    with pytest.raises(UserError, match=message):
        run(data, tmp_path, training, **change)


def test_grey_and_unlabelled_images_are_refused(data, tmp_path, training):
    (data / "test_labels.npy").unlink()
    with pytest.raises(UserError, match="no labels for its test images"):
        run(data, tmp_path / "a", training)
    card = json.loads((data / "card.json").read_text())
    (data / "card.json").write_text(json.dumps(card | {"shape": [1, 16, 16]}))
    with pytest.raises(UserError, match="1 channel; SimSiam needs colour images"):
        run(data, tmp_path / "b", training)


def test_scores(data, tmp_path, training, scoring):
    model = run(data, tmp_path, training)
    output = tmp_path / "scores"
    output.mkdir()
    score(data, model, output, **scoring, device=CPU, scratch=tmp_path / "probe")
    metrics = json.loads((output / "metrics.json").read_text())
    rows = [row for row in history.read(model / "history.csv") if row["seed"] == 1]
    seed = metrics["seeds"]["1"]
    assert seed["loss"] == {"first": rows[0]["loss"], "last": rows[-1]["loss"]}
    assert seed["knn"]["last"] == rows[-1]["knn"] and seed["knn"]["best"] == max(row["knn"] for row in rows)
    assert rows[int(seed["knn"]["best_epoch"]) - 1]["knn"] == seed["knn"]["best"]
    assert seed["layers"]["projector"]["knn"] == pytest.approx(rows[-1]["knn"])
    assert seed["probe"] == 100  # dark and light images are told apart
    assert metrics["mean"]["probe"] == 100 and metrics["spread"]["probe"] == 0
    assert np.load(output / "views.npy").shape == (16, 2, 3, 16, 16)


def test_a_resumed_probe_ends_with_the_same_scores(data, tmp_path, training, scoring, monkeypatch):
    monkeypatch.setenv("PIPELINE_CHECKPOINT_SECONDS", "0")
    model = run(data, tmp_path, training)
    settings = scoring | {"device": CPU}
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir(), cut.mkdir()
    score(data, model, whole, **settings, scratch=tmp_path / "a")
    save, calls = Checkpoint.save, []

    def interrupted(self, state, *, now=False):
        save(self, state, now=now)
        calls.append(state["done"])
        if len(calls) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        score(data, model, cut, **settings, scratch=tmp_path / "b")
    score(data, model, cut, **settings, scratch=tmp_path / "b")
    assert calls == [1, 2, 3, 1, 2, 3]
    assert (whole / "metrics.json").read_bytes() == (cut / "metrics.json").read_bytes()


def test_a_probe_is_resumed_in_its_own_memory_format_only(data, tmp_path, training, scoring, monkeypatch):
    model = run(data, tmp_path, training, seeds=[0])
    settings = scoring | {"device": CPU, "scratch": tmp_path / "probe"}
    save, calls = Checkpoint.save, []

    def noted(self, state, *, now=False):
        save(self, state, now=now)
        calls.append(state["done"])

    monkeypatch.setattr(Checkpoint, "save", noted)
    for name, expected in (("channels_last", [1, 2, 3]), ("contiguous", [1, 2, 3]), ("channels_last", [])):
        monkeypatch.setenv("PIPELINE_MEMORY_FORMAT", name)
        output = tmp_path / "scores"
        output.mkdir(exist_ok=True)
        calls.clear()
        score(data, model, output, **settings)
        assert calls == expected
