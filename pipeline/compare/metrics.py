"""Which numbers of `metrics.json` are compared, and which of two values is the better one."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

SMALLER, LARGER = "smaller", "larger"

BETTER = {
    "*frechet_distance": SMALLER, "*inception_score": LARGER, "*kid": SMALLER,
    "*precision": LARGER, "*recall": LARGER, "*density": LARGER, "*coverage": LARGER,
    "*missing_classes": SMALLER, "*label_distance": SMALLER,
    "log_likelihood.*.value": LARGER, "elbo.*": LARGER, "bits_per_dimension.*": SMALLER,
    "*squared_error": SMALLER, "*reconstruction": SMALLER,
    "*nll": SMALLER, "*density.*.loss": SMALLER, "*energy_distance": SMALLER,
    "*knn*": LARGER, "*probe": LARGER,
}  # fmt: skip
"""What is better, by patterns of names; the first that fits counts. Of other numbers nothing is better."""

HEADLINES = {
    "score_gan": [
        "final.frechet_distance",
        "final.inception_score",
        "final.precision",
        "final.recall",
        "final.density",
        "final.coverage",
    ],
    "likelihood": ["log_likelihood.*.value", "elbo.test", "squared_error"],
    "score_samples": ["samples.frechet_distance", "reconstructions.frechet_distance", "samples.inception_score"],
    "score_flow": ["*.samples.*.test_nll", "*.density.arcs.loss"],  # sine has no least loss: samples leave its square
    "score_simsiam": ["knn.last", "probe"],
}
"""The numbers that are compared where none is asked for, by stage."""


TITLES = {
    "final.*": "{name}, last generator", "best.*": "{name}, best stored generator", "raw.*": "{name}, raw weights",
    "samples.*": "{name}, samples of the prior", "reconstructions.*": "{name}, reconstructions",
    "log_likelihood.*.value": "log p(x), K = {1}", "elbo.test": "ELBO of test images",
    "squared_error": "squared error of reconstructions",
    "*.samples.*.test_nll": "NLL of test points, {2} fitted to points, constraint {0}",
    "*.density.*.loss": "reverse KL up to a constant, {2} fitted to the formula, constraint {0}",
    "knn.last": "kNN accuracy after the last epoch, %", "probe": "accuracy of the linear probe, %",
}  # fmt: skip
"""Names in words, by patterns: `{0}` is the first part of the dotted name, `{name}` the score's name in tables."""


CONDITIONS = {
    "images": "the number of images", "elbo": "how the ELBO is estimated", "estimator": "how log p(x) is estimated",
    "bits_per_dimension": "what bits per dimension are of", "precision": "the precision of the arithmetic",
    "generator_precision": "the precision of the generator", "decoder_precision": "the precision of the decoder",
    "evaluator_precision": "the precision of the evaluator", "normalisation": "the generator's batch normalisation",
    "knn": "how the kNN accuracy is measured", "probe": "how the linear probe is fitted",
    "snapshot_images": "the number of images during training",
}  # fmt: skip
"""Entries of a protocol in words; any other goes by its name."""


def flat(tree: Any, name: str = "") -> dict[str, float]:
    """Return the numbers of nested dictionaries by dotted names, `final.frechet_distance`; lists are left out."""
    if isinstance(tree, Mapping):
        return {key: value for part, inner in tree.items() for key, value in flat(inner, f"{name}.{part}").items()}
    is_number = isinstance(tree, int | float) and not isinstance(tree, bool)
    return {name.removeprefix("."): float(tree)} if is_number else {}


def better(name: str) -> str:
    """Return `smaller` or `larger`, nothing where neither value of a number called `name` is the better one."""
    return next((which for pattern, which in BETTER.items() if fnmatchcase(name, pattern)), "")


def chosen(stage: str, names: Iterable[str], patterns: Sequence[str] = ()) -> list[str]:
    """Return which of the `names` to compare, in the order of the patterns.

    Args:
        stage: Stage that measured them.
        names: Names of all numbers.
        patterns: Names or patterns with `*`; without any, the headlines of the stage, of log p(x) the estimate from
            the most samples alone.
    """
    wanted = patterns or HEADLINES.get(stage, [])
    found = dict.fromkeys(name for pattern in wanted for name in names if fnmatchcase(name, pattern))
    if not patterns:
        samples = [int(name.split(".")[1]) for name in found if name.startswith("log_likelihood.")]
        for fewer in sorted(samples)[:-1]:
            del found[f"log_likelihood.{fewer}.value"]
    return list(found)


def words(name: str, protocol: Mapping[str, Any]) -> str:
    """Return the name of a number as tables show it, with that of its protocol where it has one."""
    parts = name.split(".")
    named = protocol.get("names", {}).get(parts[-1], parts[-1].replace("_", " "))
    title = next((title for pattern, title in TITLES.items() if fnmatchcase(name, pattern)), name)
    return title.format(*parts, name=named)
