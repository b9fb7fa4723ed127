import hashlib
import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from pipeline.data import download
from pipeline.data.errors import DataError
from pipeline.features import complete, evaluator, inception, real
from pipeline.features.build import build
from pipeline.features.settings import Evaluation, Scoring
from pipeline.runtime.context import Context

SETTINGS = Evaluation("inception", "random", None, None, "fp32", "test", (), 4, Scoring(2, 2, 3, 1))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inception")
    inception.store(folder, "random")
    return folder


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No environment, no network: every address is refused."""

    def refuse(url, partial, reasons):
        reasons.append(f"{url}: refused")
        return False

    monkeypatch.delenv("INCEPTION_WEIGHTS", raising=False)
    monkeypatch.delenv("DATA_MIRROR", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(download, "_transfer", refuse)


@pytest.mark.slow
def test_random_weights_run_the_whole_path_and_are_never_called_fid(dots, cpu, tmp_path, monkeypatch, weights):
    def copy(output, kind):
        assert kind == "random"
        (output / inception.WEIGHTS).symlink_to(weights / inception.WEIGHTS)

    monkeypatch.setattr(inception, "store", copy)  # they are made once for all tests here
    small(dots, 4)
    output = tmp_path / "made"
    output.mkdir()
    build(dots, output, SETTINGS, Context(cpu, tmp_path))
    (tmp_path / "real").mkdir()
    monkeypatch.setattr(complete, "NEIGHBOURS", 1)
    real.score(dots, output, tmp_path / "real", SETTINGS, Context(cpu, tmp_path))
    metrics = json.loads((tmp_path / "real" / "metrics.json").read_text())
    assert metrics["protocol"]["names"]["frechet_distance"] == "FD (random Inception)"
    assert "random weights sha256" in metrics["protocol"]["feature_network"]
    assert metrics["floor"]["images"] == 4 and metrics["noise"]["frechet_distance"] > 0
    assert evaluator.load(output, cpu, (3, 16, 16)).features.shape == (4, 2048)


def small(folder, count):
    """Cut a data set: one image costs a tenth of a second."""
    for split in ("train", "test"):
        for what in ("images", "labels"):
            np.save(folder / f"{split}_{what}.npy", np.load(folder / f"{split}_{what}.npy")[:count])


@pytest.mark.slow
def test_features_and_logits_without_bias_of_grey_and_colour_images_of_any_size(weights, cpu):
    network = inception.load(weights, "fp32", cpu)
    grey = torch.randint(256, (2, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    features, logits = network.extract(grey)
    assert features.shape == (2, 2048) and logits.shape == (2, 1008) and features.dtype == torch.float32
    again, _ = network.extract(grey.expand(-1, 3, -1, -1))
    assert torch.equal(features, again)
    head = load_file(weights / inception.WEIGHTS)["fc.weight"]
    torch.testing.assert_close(logits, features @ head.T, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("size", [(32, 32), (28, 40), (299, 299), (310, 305)])
def test_two_matrix_products_enlarge_as_torch_fidelity_does(size):
    images = torch.randint(256, (2, 3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)).float()
    expected = interpolate_bilinear_2d_like_tensorflow1x(images, (299, 299), align_corners=False)
    torch.testing.assert_close(inception.enlarged(images) / 128, expected / 128, rtol=0, atol=1e-5)


def test_pixels_are_not_rounded_in_bf16():
    images = torch.randint(256, (1, 1, 32, 32), dtype=torch.uint8).float()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(inception.enlarged(images), inception.enlarged(images.expand(-1, 3, -1, -1)))
        assert inception.enlarged(images).dtype == torch.float32


@pytest.mark.slow
def test_features_and_logits_are_torch_fidelitys(weights, cpu):
    pickled = io.BytesIO()
    torch.save(load_file(weights / inception.WEIGHTS), pickled)
    pickled.seek(0)
    theirs = FeatureExtractorInceptionV3("x", ["2048", "logits_unbiased"], feature_extractor_weights_path=pickled)
    images = torch.randint(256, (2, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    found = inception.load(weights, "fp32", cpu).extract(images)
    for ours, reference in zip(found, theirs(images), strict=True):
        torch.testing.assert_close(ours.clone(), reference, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_only_the_official_weights_give_unqualified_names(weights, cpu, monkeypatch, tmp_path):
    assert inception.load(weights, "fp32", cpu).qualifier == "random Inception"
    file = tmp_path / "official.pth"
    torch.save(load_file(weights / inception.WEIGHTS), file)
    adopt(file, monkeypatch)
    inception.store(tmp_path, "official")
    network = inception.load(tmp_path, "fp32", cpu)
    digest = inception.OFFICIAL.checksum.removeprefix("sha256:")
    assert network.qualifier == "" and f"official weights sha256 {digest[:12]}" in network.words["feature_network"]
    images = torch.randint(256, (1, 3, 32, 32), dtype=torch.uint8)
    assert torch.equal(network.extract(images)[1], inception.load(weights, "fp32", cpu).extract(images)[1])


def adopt(file, monkeypatch):
    """Make `file` the official one, and let it be found."""
    digest = f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    monkeypatch.setattr(inception, "OFFICIAL", inception.File(file.name, digest, inception.OFFICIAL.url))
    monkeypatch.setenv("INCEPTION_WEIGHTS", str(file))


class Trap:
    def __reduce__(self):
        return Path.touch, (Path("sprung"),)


def test_no_code_in_a_file_of_weights_is_run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    torch.save({"fc.weight": Trap()}, tmp_path / "trap.pth")
    adopt(tmp_path / "trap.pth", monkeypatch)
    with pytest.raises(pickle.UnpicklingError):
        inception.store(tmp_path, "official")
    (tmp_path / inception.WEIGHTS).write_bytes((tmp_path / "trap.pth").read_bytes())
    with pytest.raises(SafetensorError):
        inception.load(tmp_path, "fp32", torch.device("cpu"))
    assert not Path("sprung").exists()


def test_the_message_says_where_to_put_the_file(offline, tmp_path):
    with pytest.raises(DataError) as error:
        inception.store(tmp_path, "official")
    message = str(error.value)
    assert inception.OFFICIAL.url in message
    assert str(tmp_path / ".scratch/downloads/inception/weights-inception-2015-12-05-6726825d.pth") in message
    assert "DATA_MIRROR" in message and "INCEPTION_WEIGHTS" in message


@pytest.mark.parametrize("place", ["mirror", "path", "downloads"])
def test_the_file_is_found_in_each_place_and_verified(offline, monkeypatch, tmp_path, place):
    written = io.BytesIO()
    torch.save({"fc.bias": torch.arange(3.0)}, written)
    content = written.getvalue()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    monkeypatch.setattr(inception, "OFFICIAL", inception.File("w.pth", digest, "https://example.invalid/w.pth"))
    file = {
        "mirror": tmp_path / "mirror/inception/w.pth",
        "path": tmp_path / "anywhere.pth",
        "downloads": tmp_path / ".scratch/downloads/inception/w.pth",
    }[place]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    if place == "mirror":
        monkeypatch.setenv("DATA_MIRROR", str(tmp_path / "mirror"))
    if place == "path":
        monkeypatch.setenv("INCEPTION_WEIGHTS", str(file))
    inception.store(tmp_path, "official")
    assert load_file(tmp_path / inception.WEIGHTS)["fc.bias"].tolist() == [0, 1, 2]
    file.write_bytes(b"something else")
    with pytest.raises(DataError, match="sha256"):
        inception.store(tmp_path, "official")


def test_a_path_that_leads_nowhere_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("INCEPTION_WEIGHTS", str(tmp_path / "nothing"))
    with pytest.raises(DataError, match="nothing: no such file"):
        inception.store(tmp_path, "official")
