"""SimSiam and its ablations: curves, collapse measures, nearest neighbours, linear probe."""

from functools import partial
from pathlib import Path
from typing import Any

from pipeline.report.chapter import Chapter, Content
from pipeline.report.claims import Claim, assess, per_seed
from pipeline.report.reported import Reported
from pipeline.report.results import Results
from pipeline.report.simsiam import figures, rules
from pipeline.report.simsiam.figures import VARIANTS, variant
from pipeline.runtime.plan import Plan

DATA = "cifar10"  # of report 000: on other data the rules ask for less than the reports saw, of trainings of any length


def write(results: Results, reported: Reported, out: Path) -> Content:
    """Show every finished run of the family."""
    trained, scored = results.plans("train_simsiam"), results.plans("score_simsiam")
    metrics = {plan.run: results.metrics(plan) for plan in scored}
    kinds = {plan.run: variant(results.settings(plan)) for plan in scored}
    values = {
        "settings": {plan.run: {"data": Path(plan.inputs["data"]).name, **plan.settings} for plan in trained},
        "curves": [figures.curves(results, plan, out) for plan in trained],
        "variants": figures.variants(results, trained, metrics, out) if trained else None,
        "rows": [
            {"run": run, **scores, "verdict": _verdicts(scores["seeds"]), "reports": _reports(reported, kinds[run])}
            for run, scores in metrics.items()
        ],
        "protocols": list(dict.fromkeys((m["protocol"]["knn"], m["protocol"]["probe"]) for m in metrics.values())),
        "rule": {
            "loss": rules.COLLAPSED_LOSS,
            "std": rules.COLLAPSED_STD,
            "rank": rules.COLLAPSED_RANK,
            "learned": rules.LEARNED,
        },
        "views": figures.views(results, scored[0], out) if scored else None,
    }
    headlines: dict[str, float] = {}
    for run, scores in metrics.items():
        mean = scores["mean"]
        headlines |= {f"simsiam.{run}.{key}": mean[key]["last"] for key in ("loss", "knn")}
        headlines |= {f"simsiam.{run}.{key}": mean[key] for key in ("probe", "feature_std", "effective_rank")}
    seeds = {name: metrics[name]["seeds"] if kinds.get(name) == name else {} for name in VARIANTS}
    return Content(values, headlines, _claims(results, reported, seeds))


def _claims(results: Results, reported: Reported, seeds: dict[str, dict[str, Any]]) -> list[Claim]:
    """Test C20 to C24 on the scores of each variant, by seed; a variant that has not run has none."""
    test = partial(assess, reported)

    def trained(name: str) -> Plan:
        return results.finished["train_simsiam", name]

    late, length, epochs = {}, {}, 0
    if seeds["default"]:
        late = {
            str(seed): {column: results.curve(trained("default"), column)[seed].tolist() for column in ("loss", "knn")}
            for seed in results.curve(trained("default"), "loss")
        }
        epochs = trained("default").settings["epochs"]
        length = {"epochs": epochs} if Path(trained("default").inputs["data"]).name == DATA else {}
    first = {"epochs in the first fifth of the training": rules.early(epochs)}
    spikes = {
        seed: {"score": score, "epochs": trained("no_predictor").settings["epochs"]}
        for seed, score in seeds["no_predictor"].items()
    }
    scores = {name: per_seed({"score": at}) for name, at in seeds.items()}
    beside = {name: per_seed({"score": at, "default": seeds["default"]}) for name, at in seeds.items()}
    return [
        test("C20", rules.learns, scores["default"], [length]),
        test("C21", rules.collapses, beside["no_stop_gradient"]),
        test("C22", rules.collapses, beside["no_predictor"]),
        test("C22b", rules.spikes, spikes),
        test("C23", rules.idle, scores["fixed_predictor"]),
        test("C24", rules.late, late, [{**first, **length}]),
    ]


def _verdicts(scores: dict[str, rules.Score]) -> str:
    words = [rules.verdict(score) for score in scores.values()]
    return ", ".join(
        f"{word} ({words.count(word)} of {len(words)} seeds)" if len(words) > 1 else word
        for word in dict.fromkeys(words)
    )


def _reports(reported: Reported, kind: str) -> str:
    """Return the numbers that the reports state of a variant, in their words."""
    rows = [reported.row(name) for name in VARIANTS[kind].rows]
    return "; ".join(
        f"{row.report}: {row.quantity} {' to '.join(map(str, row.value)) if isinstance(row.value, list) else row.value}"
        f"{' ' * bool(row.unit)}{row.unit}"
        for row in rows
    )


CHAPTER = Chapter(
    "simsiam",
    {"train_simsiam": ("history.csv",), "score_simsiam": ("metrics.json", "originals.npy", "views.npy")},
    ("C",),
    write,
)
