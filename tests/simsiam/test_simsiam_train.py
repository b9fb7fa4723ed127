import json
import math
from dataclasses import replace

import pytest
import torch

from pipeline.data import store
from pipeline.runtime import history
from pipeline.runtime.context import Context
from pipeline.runtime.errors import UserError
from pipeline.runtime.seeding import generator
from pipeline.runtime.training import must_be_finite
from pipeline.simsiam.augment import view
from pipeline.simsiam.evaluate import embed, measure
from pipeline.simsiam.network import FORMATS, SimSiam, load, memory_format, untrained
from pipeline.simsiam.settings import Optimiser
from pipeline.simsiam.train import SimSiamTrainee, cosine, set_rate, sgd, train

CPU = torch.device("cpu")


def run(data, folder, settings):
    output = folder / "out"
    output.mkdir(parents=True)
    train(data, output, settings, Context(CPU, folder / "scratch"))
    return output


def trainee(data, settings, **changes):
    return SimSiamTrainee(0, store.load(data, CPU), replace(settings, **changes))


def test_divergence_is_said(data, tmp_path, training):
    with pytest.raises(UserError, match=r"seed 0, epoch 1: loss.*training has diverged; a smaller learning_rate"):
        run(data, tmp_path, replace(training, optimiser=Optimiser(1e30, 0.9, 0.0), seeds=(0,)))


def test_divergence_in_the_last_step_is_said_too(data, training):
    model = trainee(data, training)
    model.advance(1)
    next(model.model.parameters()).data.fill_(math.inf)  # the mean loss does not know of it
    row = model.measure(1)[0]
    assert math.isfinite(row["loss"])
    with pytest.raises(UserError, match="training has diverged"):
        must_be_finite(row, "seed 0, epoch 1", model.remedy)


def test_the_encoders_rate_falls_along_a_cosine_and_the_predictors_stays(data, training):
    model, rates = trainee(data, training, epochs=4), []
    for epoch in range(1, 5):
        model.advance(epoch)
        rates.append([group["lr"] for group in model.optimiser.param_groups])
    start = 0.4 * 16 / 256
    expected = [1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2]
    assert [encoder for encoder, _ in rates] == pytest.approx([start * share for share in expected])
    assert [predictor for _, predictor in rates] == [start] * 4


def test_a_rate_in_a_tensor_is_set_in_place():
    rate = torch.tensor(1.0)
    set_rate(group := {"lr": rate}, 0.25)
    assert group["lr"] is rate and rate == 0.25


def test_the_schedule_is_torchs():
    weight = torch.nn.Parameter(torch.zeros(()))
    optimiser = torch.optim.SGD([weight], lr=0.12)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=102)
    for epoch in range(1, 103):
        assert cosine(0.12, epoch, 102) == pytest.approx(optimiser.param_groups[0]["lr"], abs=1e-12)
        optimiser.step()
        schedule.step()


@pytest.mark.parametrize(("predictor", "hidden", "size"), [("mlp", 5, 5), ("identity", None, 0), ("fixed", 5, 0)])
def test_groups_are_encoder_and_predictor_without_what_is_frozen(network, predictor, hidden, size):
    model = SimSiam(replace(network, predictor=predictor, predictor_hidden=hidden))
    encoder, rest = (group["params"] for group in sgd(model, Optimiser(1.0, 0.9, 0.0), 1.0).param_groups)
    assert len(rest) == size
    parts = [*model.backbone.parameters(), *model.projector.parameters()]
    assert {id(p) for p in encoder} == {id(p) for p in parts} - {id(model.projector[6].bias)}


def test_an_epoch_is_one_step_per_full_batch_of_the_written_out_update(data, training):
    """Two steps by hand: views, forward passes one view after the other, loss, momentum and weight decay."""
    rate = 0.1
    model = trainee(data, training, optimiser=Optimiser(rate * 256 / 16, 0.9, 0.01))
    model.advance(1)

    twin = untrained(training.network, 0, CPU).train()
    random = generator(0, "train", 1)
    order = torch.randperm(40, generator=random)
    momentum: dict[str, torch.Tensor] = {}
    losses = []
    for index in (order[:16], order[16:32]):
        pixels = model.data.images["train"][index].float() / 255
        first, second = (view(pixels, training.augmentation, random) for _ in range(2))
        z1, z2 = (twin.projector(twin.backbone((x - twin.mean) / twin.std)) for x in (first, second))
        p1, p2 = twin.predictor(z1), twin.predictor(z2)
        unit = torch.nn.functional.normalize
        value = -((unit(p1) * unit(z2.detach())).sum(1) + (unit(p2) * unit(z1.detach())).sum(1)).mean() / 2
        losses.append(value.item())
        named = {name: p for name, p in twin.named_parameters() if p.requires_grad}
        gradients = torch.autograd.grad(value, list(named.values()))
        with torch.no_grad():
            for (name, p), gradient in zip(named.items(), gradients, strict=True):
                momentum[name] = 0.9 * momentum.get(name, 0.0) + gradient + 0.01 * p
                p -= rate * momentum[name]
    assert model.loss == pytest.approx(sum(losses) / 2, rel=1e-5)
    for name, p in twin.named_parameters():
        torch.testing.assert_close(model.model.get_parameter(name), p, rtol=1e-4, atol=1e-5)


def test_a_fixed_predictor_stays_as_it_was_initialised(data, tmp_path, training):
    network = replace(training.network, predictor="fixed")
    output = run(data, tmp_path, replace(training, network=network, seeds=(3,)))
    start, trained = untrained(network, 3, CPU), load(output, CPU)[3]
    for name, p in start.predictor.named_parameters():
        assert torch.equal(p, trained.predictor.get_parameter(name)), name
    assert not torch.equal(start.backbone.conv1.weight, trained.backbone.conv1.weight)


def test_variants_start_from_the_same_encoder(network):
    variants = {"mlp": 5, "identity": None, "fixed": 5}
    first, *others = (
        untrained(replace(network, predictor=predictor, predictor_hidden=hidden), 0, CPU)
        for predictor, hidden in variants.items()
    )
    for other in others:
        for part in ("backbone", "projector"):
            for name, p in getattr(first, part).named_parameters():
                assert torch.equal(p, getattr(other, part).get_parameter(name))


def test_the_curve_holds_what_the_saved_network_measures(data, tmp_path, training):
    output = run(data, tmp_path, training)
    rows = history.read(output / "history.csv")
    assert [(row["seed"], row["epoch"]) for row in rows] == [(s, e) for s in (0, 1) for e in (1, 2, 3)]
    images = store.load(data, CPU)
    for seed, model in load(output, CPU).items():
        bank, test = (embed(model, images, split, "fp32")["projector"] for split in ("train", "test"))
        measured = measure(bank, test, images, training.monitor)
        last = next(row for row in rows if (row["seed"], row["epoch"]) == (seed, 3))
        assert {key: last[key] for key in measured} == measured
        assert -1 <= last["loss"] <= 1


def test_features_are_measured_without_touching_the_network(data, network):
    model, images = SimSiam(network).train(), store.load(data, CPU)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    features = embed(model, images, "test", "fp32")
    assert model.training and all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    model.eval()
    torch.testing.assert_close(features["backbone"], model.represent(images.unit(images.images["test"])))
    torch.testing.assert_close(features["projector"], model.project(features["backbone"]))


def test_memory_formats_agree_to_rounding(data, training, monkeypatch):
    losses = {}
    for name in ("channels_last", "contiguous"):
        monkeypatch.setenv("PIPELINE_MEMORY_FORMAT", name)
        model = trainee(data, training, batch=40, optimiser=Optimiser(0.01, 0.9, 0.0))
        assert model.model.backbone.layer1[0].conv1.weight.is_contiguous(memory_format=FORMATS[name])
        model.advance(1)
        losses[name] = model.loss
    assert losses["channels_last"] == pytest.approx(losses["contiguous"], abs=1e-5)


def test_an_unknown_memory_format_is_named(monkeypatch):
    monkeypatch.setenv("PIPELINE_MEMORY_FORMAT", "rows")
    with pytest.raises(UserError, match="PIPELINE_MEMORY_FORMAT=rows: not one of channels_last, contiguous"):
        memory_format()


def test_what_does_not_fit_the_data_is_refused(data, tmp_path, training):
    with pytest.raises(UserError, match=r"twotone has 40 training images; simsiam.batch is 41"):
        run(data, tmp_path / "a", replace(training, batch=41))
    greedy = replace(training, monitor=replace(training.monitor, knn_neighbours=50))
    with pytest.raises(UserError, match=r"simsiam.knn_neighbours is 50, at most 40"):
        run(data, tmp_path / "b", greedy)


def test_grey_and_unlabelled_images_are_refused(data, tmp_path, training):
    (data / "test_labels.npy").unlink()
    with pytest.raises(UserError, match="no labels for its test images"):
        run(data, tmp_path / "a", training)
    card = json.loads((data / "card.json").read_text())
    (data / "card.json").write_text(json.dumps(card | {"shape": [1, 16, 16]}))
    with pytest.raises(UserError, match="1 channel; SimSiam needs colour images"):
        run(data, tmp_path / "b", training)


def test_rates_in_tensors_train_to_the_same_bits(data, training):
    """What a recorded step reads on a GPU: each group's rate in a tensor of its own, which `set_rate` fills."""
    plain, recorded = trainee(data, training), trainee(data, training)
    for group in recorded.optimiser.param_groups:
        group["lr"] = torch.tensor(group["lr"], dtype=torch.float64)
    for epoch in (1, 2):
        plain.advance(epoch)
        recorded.advance(epoch)
    for name, p in plain.model.state_dict().items():
        assert torch.equal(p, recorded.model.state_dict()[name]), name
