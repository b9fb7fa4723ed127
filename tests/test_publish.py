"""What is published is what is finished: metrics, histories and plan files, no weights."""

import numpy as np
import yaml
from PIL import Image

from pipeline.tracking.records import md5
from tools.publish import publish

REPORT = {
    "params.yaml": "p",
    "reports/figures/vae/f.png": "f",
    "reports/report.md": "![f](figures/vae/f.png) [p](../params.yaml)",
}
FINISHED, STALE, MISSING = "plan/train_vae/a.yaml", "plan/train_vae/b.yaml", "plan/train_vae/c.yaml"


def test_finished_stages_are_published_without_weights_and_others_are_not(tmp_path):
    checkout, to = tmp_path / "checkout", tmp_path / "reports/overnight"
    texts = {
        name: yaml.safe_dump({"stage": "train_vae", "run": name[-6], "output": f"models/vae/{name[-6]}"})
        for name in (FINISHED, STALE, MISSING)
    }
    others = {f"models/vae/{run}/{file}": run for run in "ab" for file in ("history.csv", "seed_0.safetensors")}
    for name, text in {**texts, **others, **REPORT}.items():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(text)
    checksums = {"a": md5(checkout / FINISHED), "b": "of another plan file", "c": md5(checkout / MISSING)}
    lock = {
        f"train_vae@{run}": {"deps": [{"path": f"plan/train_vae/{run}.yaml", "md5": checksum}]}
        for run, checksum in checksums.items()
    }
    (checkout / "dvc.lock").write_text(yaml.safe_dump({"stages": lock}))
    (to / "models").mkdir(parents=True)
    (to / "models/old.json").write_text("of an earlier call")

    assert publish(checkout, to, report=True) == (1, 3)
    found = {str(file.relative_to(to)) for file in to.rglob("*") if file.is_file()}
    assert found == {FINISHED, "models/vae/a/history.csv", "params.yaml", "figures/vae/f.png", "report.md"}
    assert (to / "report.md").read_text() == "![f](figures/vae/f.png) [p](params.yaml)"
    assert publish(checkout, to) == (1, 3) and not (to / "figures").exists()


def test_a_large_picture_becomes_smaller_and_is_shown_as_before(tmp_path):
    checkout, to = tmp_path / "checkout", tmp_path / "published"
    (checkout / "reports/figures/gan/main").mkdir(parents=True)
    (checkout / "plan").mkdir()
    (checkout / "params.yaml").write_text("p")
    pixels = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    for name, size in {"gan/main/sheet": 300, "gan/main/small": 8, "gan/chart": 300}.items():
        Image.fromarray(pixels[:size, :size]).save(checkout / f"reports/figures/{name}.png")
    (checkout / "reports/report.md").write_text("![s](figures/gan/main/sheet.png) ![c](figures/gan/chart.png)")
    publish(checkout, to, report=True)
    assert (to / "report.md").read_text() == "![s](figures/gan/main/sheet.webp) ![c](figures/gan/chart.png)"
    assert {file.name for file in to.rglob("*.*g") if file.is_file()} == {"small.png", "chart.png"}
    with Image.open(to / "figures/gan/main/sheet.webp") as picture:
        assert picture.size == (300, 300)
