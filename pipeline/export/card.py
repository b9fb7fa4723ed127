"""The card of an exported model: what it is, from which data and settings it comes, how it scored, how to load it."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline.compare import metrics
from pipeline.gan import best
from pipeline.report.origin import outdated
from pipeline.runtime import settings, sources
from pipeline.runtime.files import digest, parsed
from pipeline.runtime.plan import Plan, read_all
from pipeline.sample.models import NETWORK, WEIGHTS, Model, Origin

WHAT = {
    "gan": "the averaged generator of a generative adversarial network",
    "vae": "an autoencoder",
    "flow": "planar normalizing flows in the plane",
    "simsiam": "a network that learnt features without labels by SimSiam",
}
SCORED = {"gan": ("score_gan",), "vae": ("likelihood", "score_samples"), "flow": ("score_flow",),
          "simsiam": ("score_simsiam",)}  # fmt: skip
"""Stages that score the models of a family."""
USE = {
    "gan": 'images = model.sample(64, seed=0)["samples"]  # bytes, (64, c, h, w)',
    "vae": 'images = model.sample(64, seed=0)["samples"]  # and model.encode(images), model.decode(latents)',
    "flow": "points = model.sample(64, seed=0)  # points of the plane, (64, 2), by the name of the flow",
    "simsiam": "features = model.represent(images)  # of bytes (n, 3, h, w)",
}
"""The third line by which a model is used."""


def write(model: Model[Any], folder: Path, root: Path) -> None:
    """Write `README.md` beside an exported model.

    Args:
        model: The model.
        folder: Folder that it was exported to.
        root: Root of the checkout that it comes from.
    """
    origin = model.origin
    plan, card = origin.plan(root, f"train_{origin.family}"), _data(origin, root)
    head = {"library_name": "pytorch", "tags": [origin.family, "safetensors"]}
    when = (
        f", after {origin.step} steps, the best stored one by its Fréchet distance" if origin.step is not None else ""
    )
    parts = [
        "---\n" + yaml.safe_dump(head, sort_keys=False) + "---",
        f"# {origin.name}",
        f"This is {WHAT[origin.family]}: run `{origin.run}`, seed {origin.seed}{when}.",
        "## How to load it",
        "In a checkout of the repository that it comes from, or with its folder `pipeline` on the path of Python:",
        f'```python\nfrom pipeline.sample.models import load\n\nmodel = load("{folder.name}")  # path of this folder\n'
        f"{USE[origin.family]}\n```",
        f"`{NETWORK}` says what the network is built from; `{WEIGHTS}.safetensors` has its weights, by the names that"
        " PyTorch gives them.",
        "## Data",
        *_about(card),
        "## Settings of the training",
        _table(["hyperparameter", "value"], [[name, _value(v)] for name, v in settings.flat(plan.settings).items()]),
        "## Scores",
        *_scores(origin, root),
        "## Licence",
        _licence(card, root),
        "## Versions",
        _versions(plan, root),
    ]
    files = [file for file in sorted(folder.iterdir()) if file.name != "README.md"]
    parts.append(_table(["file", "SHA-256"], [[f"`{file.name}`", f"`{digest(file)}`"] for file in files]))
    (folder / "README.md").write_text("\n\n".join(parts) + "\n")


def _data(origin: Origin, root: Path) -> dict[str, Any] | None:
    """Return the card of the data set that a model was trained on, `None` where it was trained on none."""
    folder = origin.plan(root, f"train_{origin.family}").inputs.get("data")
    card: dict[str, Any] | None = json.loads((root / folder / "card.json").read_text()) if folder else None
    return card


def _about(card: Mapping[str, Any] | None) -> Iterator[str]:
    if card is None:
        yield "Points of densities in the plane, sampled by formulas; no data set."
        return
    counts = ", ".join(f"{split} {count:,}" for split, count in card["counts"].items())
    rows = [[key, str(card[key])] for key in ("title", "note", "source", "licence", "citation", "url") if card.get(key)]
    shape = " x ".join(map(str, card["shape"])) + f" (channels x height x width), {card['levels']} grey levels"
    yield _table(["data set", card["name"]], [*rows, ["images", counts], ["split", card["split"]], ["shape", shape]])


def _scores(origin: Origin, root: Path) -> Iterator[str]:
    """Yield a table per stage that has scored the model: this seed beside mean and spread over all of its run."""
    plans = read_all(root)
    old, found = outdated(root, plans), False
    for plan in plans:
        if plan.stage not in SCORED[origin.family] or plan.inputs.get("model") != f"models/{origin.name}":
            continue
        if plan.output in old:
            found = True
            yield f"The scores in `{plan.output}` are of an earlier model; `dvc repro {plan.address}` scores this one."
            continue
        file = root / plan.output / "metrics.json"
        if not file.is_file():
            continue
        found, content = True, json.loads(file.read_text())
        seeds = {seed: metrics.flat(tree) for seed, tree in content["seeds"].items()}
        own, mean, spread = seeds[str(origin.seed)], metrics.flat(content["mean"]), metrics.flat(content["spread"])
        names = metrics.chosen(plan.stage, own)
        if origin.step is not None:
            names = [name.replace("final.", "best.", 1) for name in names]
        rows = [
            [metrics.words(name, content["protocol"]), _number(own[name]), _number(mean[name]),
             _number(spread.get(name)), str(len(seeds))]
            for name in names
        ]  # fmt: skip
        yield _table(["score", "this model", "mean over seeds", "spread", "seeds"], rows)
        protocol = [(name, text) for name, text in content["protocol"].items() if not isinstance(text, dict)]
        yield "Protocol: " + "; ".join(f"{name.replace('_', ' ')}: {text}" for name, text in protocol) + "."
        if (evaluator := plan.inputs.get("features")) and (
            real := _beside(root / "scores/real" / Path(evaluator).name)
        ):
            yield real
    if origin.step is not None:
        chosen = json.loads((root / "scores" / origin.name / best.FOLDER / best.CHOSEN).read_text())
        yield f"Chosen: {chosen['chosen']}, on {chosen['chosen_on']}. Scored on {chosen['scored_on']}."
    if not found:
        yield "It has not been scored."


def _beside(folder: Path) -> str:
    """Say what an evaluator gives real images and noise, and how well it classifies; nothing if that is not known."""
    file = folder / "metrics.json"
    if not file.is_file():
        return ""
    known = json.loads(file.read_text())
    name, of = known["protocol"]["names"]["frechet_distance"], "frechet_distance"
    real = {known[kind]["source"]: known[kind][of] for kind in ("floor", "noise") if kind in known}
    said = f"Beside it, {name}: " + ", ".join(f"{_number(value)} for {source}" for source, value in real.items()) + "."
    shares = ", ".join(f"{100 * share:.1f} % ({split})" for split, share in known.get("accuracy", {}).items())
    return said + (f" Its classifier labels so many images correctly: {shares}." if shares else "")


def _licence(card: Mapping[str, Any] | None, root: Path) -> str:
    own = next((file for name in ("LICENSE", "LICENCE", "LICENSE.txt") if (file := root / name).is_file()), None)
    code = f"Code and weights: {own.read_text().splitlines()[0].strip()}." if own else "The repository states none."
    return code + (f" The data that the weights were learnt from: {card['licence']}." if card else "")


def _versions(plan: Plan, root: Path) -> str:
    listed = parsed((root / sources.FOLDER / f"{plan.stage}.yaml").read_text())["packages"]
    return "Trained with " + ", ".join(f"{name} {version}" for name, version in listed.items()) + "."


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in line)} |"
                     for line in lines)  # fmt: skip


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.5g}"


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
