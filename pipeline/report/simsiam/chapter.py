"""SimSiam and its ablations: curves, collapse measures, nearest neighbours, linear probe."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.report import figures, style
from pipeline.report.chapter import Chapter, Content
from pipeline.report.claims import Claim, Rule, assess, per_seed
from pipeline.report.figures import Curve
from pipeline.report.marks import marks
from pipeline.report.reported import Reported
from pipeline.report.results import Results, about, data, settings
from pipeline.report.simsiam import rules
from pipeline.runtime.plan import Plan

DATA = "cifar10"  # of reports 000 and 002, which name an accuracy on it
SCALE, COLUMNS = 2, 4  # of the sheet of views
PANELS = {
    "loss": "loss",
    "knn": "kNN accuracy (%)",
    "feature_std": r"deviation × $\sqrt{d}$",
    "effective_rank": "effective rank",
}


@dataclass(frozen=True)
class Variant:
    """One of the four trainings that the reports compare: its title, the reports' figure and numbers of it."""

    title: str
    figure: str
    rows: tuple[str, ...]


VARIANTS = {
    "default": Variant("SimSiam", "F11 (figure of report 000). ", ("000-simsiam-loss", "000-simsiam-knn")),
    "no_stop_gradient": Variant(
        "SimSiam without stop-gradient",
        "F12 (figure of report 000). ",
        ("000-simsiam-no-stop-gradient-loss", "000-simsiam-no-stop-gradient-knn", "002-simsiam-collapse-loss"),
    ),
    "no_predictor": Variant(
        "SimSiam without predictor",
        "F13 (figure of report 000). ",
        ("000-simsiam-no-predictor-loss", "000-simsiam-no-predictor-knn", "002-simsiam-collapse-loss"),
    ),
    "fixed_predictor": Variant("SimSiam with a fixed random predictor", "", ()),
}


def write(results: Results, reported: Reported, out: Path) -> Content:
    """Show every finished run of the family."""
    trained, scored = results.plans("train_simsiam"), results.plans("score_simsiam")
    metrics = {plan.run: results.metrics(plan) for plan in scored}
    kinds = {plan.run: variant(results.settings(plan)) for plan in scored}
    epochs = {plan.run: plan.settings["epochs"] for plan in trained}
    values = {
        "settings": settings(trained),
        "curves": [_curves(results, reported, plan, out) for plan in trained],
        "variants": _variants(results, trained, metrics, out) if trained else None,
        "rows": [
            {
                "run": run,
                "epochs": epochs.get(run),
                **scores,
                "verdict": _verdicts(scores["seeds"]),
                "reports": _reports(reported, kinds[run]),
            }
            for run, scores in metrics.items()
        ],
        "protocols": list(dict.fromkeys((m["protocol"]["knn"], m["protocol"]["probe"]) for m in metrics.values())),
        "rule": rules,
        "views": _views(results, scored[0], out) if scored else None,
    }
    headlines: dict[str, float] = {}
    for run, scores in metrics.items():
        mean = scores["mean"]
        headlines |= {f"simsiam.{run}.{key}": mean[key]["last"] for key in ("loss", "knn")}
        headlines |= {f"simsiam.{run}.{key}": mean[key] for key in ("probe", "feature_std", "effective_rank")}
    seeds = {name: metrics[name]["seeds"] if kinds.get(name) == name else {} for name in VARIANTS}
    sources = {
        **{f"figures/simsiam/{plan.run}/curves.png": [plan] for plan in trained},
        "figures/simsiam/variants.png": [*trained, *scored],
        "figures/simsiam/views.png": scored[:1],
    }
    return Content(values, headlines, _claims(results, reported, seeds), sources)


def _claims(results: Results, reported: Reported, seeds: dict[str, dict[str, Any]]) -> list[Claim]:
    """Test C20 to C24 on the scores of each variant, by seed; a variant that has not run has none."""
    plans = {name: plan for name in VARIANTS if (plan := results.finished.get(("train_simsiam", name)))}
    known = {
        name: {
            "data": data(plan),
            "epochs": plan.settings["epochs"],
            "epochs in the first fifth of the training": rules.early(plan.settings["epochs"]),
        }
        for name, plan in plans.items()
    }
    classes = {name: (results.card(plan) or {}).get("classes") or range(10) for name, plan in plans.items()}

    def test(claim: str, rule: Rule, name: str, seeds: Mapping[str, Any], **more: Any) -> Claim:
        numbers = {seed: {**each, **more} for seed, each in seeds.items()}
        return assess(reported, claim, rule, numbers, [known[name]] if name in known else [])

    def chance(name: str) -> float:
        return 100 / len(classes.get(name, range(10)))

    default = plans.get("default")
    own = default is not None and data(default) == DATA and default.settings["epochs"] == rules.EPOCHS
    curves = {column: results.by_seed(default, column) for column in ("loss", "knn")} if default else {}
    scores = {name: per_seed({"score": at}) for name, at in seeds.items()}
    beside = {name: per_seed({"score": at, "default": seeds["default"]}) for name, at in seeds.items()}
    epochs = known.get("no_predictor", {}).get("epochs", 0)
    return [
        test("C20", rules.learns, "default", scores["default"], own=own),
        *(
            test(claim, rules.collapses, name, beside[name], chance=chance(name))
            for claim, name in (("C21", "no_stop_gradient"), ("C22", "no_predictor"))
        ),
        test("C22b", rules.spikes, "no_predictor", scores["no_predictor"], epochs=epochs),
        test("C23", rules.idle, "fixed_predictor", scores["fixed_predictor"]),
        test("C24", rules.late, "default", per_seed(curves) if seeds["default"] else {}),
    ]


def _verdicts(scores: dict[str, rules.Score]) -> str:
    words = Counter(map(rules.verdict, scores.values()))
    return ", ".join(f"{word} ({n} of {len(scores)} seeds)" if len(scores) > 1 else word for word, n in words.items())


def _about(plans: Sequence[Plan]) -> str:
    known = plans[0].settings
    neighbours = f"{known['knn_neighbours']} neighbours, features of the {known['knn_features']}"
    return f"{about(plans)} kNN on the test split, {neighbours}."


def _reports(reported: Reported, kind: str) -> str:
    """Return the numbers that the reports state of a variant, in their words."""
    rows = [reported.row(name) for name in VARIANTS[kind].rows]
    return "; ".join(
        f"{row.report}: {row.quantity} {' to '.join(map(str, row.value)) if isinstance(row.value, list) else row.value}"
        f"{' ' * bool(row.unit)}{row.unit}"
        for row in rows
    )


def variant(settings: Mapping[str, Any]) -> str:
    """Return which of the four variants the settings of a training are."""
    if not settings["stop_gradient"]:
        return "no_stop_gradient"
    kinds = {"mlp": "default", "identity": "no_predictor", "fixed": "fixed_predictor"}
    return kinds[settings["predictor"]]


def _curves(results: Results, reported: Reported, plan: Plan, out: Path) -> dict[str, str]:
    """Plot loss and kNN accuracy of one run (F11 to F13); say what is shown."""
    name = variant(plan.settings)
    kind = VARIANTS[name]
    with style.panels(out / f"figures/simsiam/{plan.run}/curves.png", 2, 2, 3.2, 2.6) as axes:
        for place, column in zip(axes, ("loss", "knn"), strict=True):
            rows = [row for row in kind.rows if row.startswith("000") and row.endswith(column)] * (plan.run == name)
            theirs = marks(results, reported, rows, "epochs")
            ours = Curve(plan.run, results.curve(plan, column), style.line(0))
            figures.plot(place, [ours, *theirs], PANELS[column])
            if theirs:
                place.legend(fontsize=8)
    return {"run": plan.run, "title": f"{kind.figure}{kind.title}"}


def _variants(results: Results, plans: Sequence[Plan], metrics: Mapping[str, Any], out: Path) -> str:
    """Plot loss, kNN accuracy and collapse measures of all runs in one figure (F14); say what is shown."""
    with style.panels(out / "figures/simsiam/variants.png", 4, 2, 3.2, 2.6) as axes:
        for letter, place, (column, label) in zip("abcd", axes, PANELS.items(), strict=True):
            lines = [Curve(plan.run, results.curve(plan, column), style.line(n)) for n, plan in enumerate(plans)]
            figures.plot(place, lines, label)
            place.set_title(f"({letter})", loc="left")
            if metrics and column != "loss":
                start = np.mean([scores["mean"]["untrained"][column] for scores in metrics.values()])
                place.axhline(float(start), color=style.REPORTED, linewidth=1.2, linestyle=":", label="untrained")
        style.logarithmic(axes[3])
        style.legend_above(axes[1], 3)
    return _about(plans)


def _views(results: Results, plan: Plan, out: Path) -> dict[str, str]:
    """Show training images with two views of each; say whose."""
    originals, views = (figures.grey(np.asarray(results.array(plan, name)), 256) for name in ("originals", "views"))
    count, columns = figures.whole_rows(len(originals), COLUMNS)
    rows = np.concatenate([originals[:, None], views], 1)[:count]
    figures.sheet(out / "figures/simsiam/views.png", rows.reshape(-1, *rows.shape[2:]), 3 * columns, SCALE)
    return {"run": plan.run, "data": data(plan)}


CHAPTER = Chapter(
    "simsiam",
    {"train_simsiam": ("history.csv",), "score_simsiam": ("metrics.json", "originals.npy", "views.npy")},
    ("C",),
    write,
)
