"""The text of params.yaml, laid out as DVC itself writes it: `dvc exp run -S gan.penalty=r1` changes one line of it."""

import io
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from pipeline.config.base import summary
from pipeline.config.params import SCHEMAS

Place = tuple[Any, ...]
"""Keys that lead to a value of params.yaml, from the section on."""

HEADER = """\
# What runs, all of it. `make repro` brings everything up to date with this file and recomputes what a change reaches.
# Hyperparameters at the top of a family hold for all of its runs. An entry under `runs` names its data set, if any, and
# overrides hyperparameters; `like` names a run whose overrides it inherits. docs/hyperparameters.md explains them all.
# `make profile NAME=paper` writes the reports' own settings here, `make profile NAME=default` the small ones.

"""

SECTIONS = {
    "data": "data sets, each named for what it is: one of the registry, or your own (see docs/data.md)",
    "features": "evaluators: networks and real images by which generated images are scored; every GAN names one",
    "vae": "autoencoders, variational and not, and their importance-sampled log-likelihood",
    "samples": "scores of what autoencoders generate; every run names its data set, autoencoder and evaluator",
    "theirs": "samples of other people, to be scored as ours are; every run names path, checksum and evaluator",
    "flow": "planar flows in the plane, fitted to points and to potentials",
    "planar": "single planar layers: what they do to points of N(0, I), and the operations of a log-determinant",
    "simsiam": "self-supervised features: SimSiam and its ablations, with nearest neighbours and a linear probe",
    "dirac": "games with one data point at 0, a generator that is one number, and the critic psi0 x + psi1",
    "gan": "generative adversarial networks; `main` overrides nothing, the other runs are those of the reports",
}
"""What each section of params.yaml is about."""


def text(params: Mapping[str, Any], comments: Mapping[Place, str] | None = None) -> str:
    """Return params.yaml with this content, explained by the summaries of the schemas.

    Args:
        params: The content.
        comments: Further comments to put at the ends of lines, by the places of their keys.
    """
    every = dict(comments or {}) | {(name,): about for name, about in SECTIONS.items()}
    for section, schema in SCHEMAS.items():
        every |= {(section, key): summary(field) for key, field in schema.model_fields.items()}
    laid_out = _dumped(_laid_out(params, (), every))
    return HEADER + re.sub(r"\n(?=\w)", "\n\n", laid_out)


def comments(document: object, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Find the comments at the ends of lines in a document that ruamel's round-trip reader has read."""
    if isinstance(document, CommentedMap):
        for key, value in document.items():
            tokens = document.ca.items.get(key)
            if tokens and tokens[2] and (comment := tokens[2].value.splitlines()[0].lstrip("# ")):
                yield (*place, key), comment
            yield from comments(value, (*place, key))


def _laid_out(values: Mapping[Any, Any], place: Place, comments: Mapping[Place, str]) -> CommentedMap:
    """Return mappings that ruamel writes as DVC does: in one line where they fit, lists in block style elsewhere."""
    mapping = CommentedMap()
    for key, value in values.items():
        mapping[key] = _laid_out(value, (*place, key), comments) if isinstance(value, Mapping) else value
        if comment := comments.get((*place, key)):
            mapping.yaml_add_eol_comment(comment, key, column=0)
    if place and not mapping.ca.items and not any(isinstance(value, Mapping) for value in values.values()):
        line: Any = CommentedMap(values)
        line.fa.set_flow_style()
        for key in reversed(place):
            line = {key: line}
        if _dumped(line).count("\n") == len(place):
            mapping.fa.set_flow_style()
    return mapping


def _dumped(document: Mapping[Any, Any]) -> str:
    stream = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(document, stream)
    return stream.getvalue()
