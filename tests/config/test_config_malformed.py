"""Hundreds of malformed params.yaml, made from the schema: each is refused with a sentence that names the key."""

import copy
from typing import Any

import pytest
from annotated_types import Ge, Gt, Le, Lt
from checkout import Checkout
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from pipeline.config import profile
from pipeline.config.params import FAMILIES, SCHEMAS, expand, read
from pipeline.runtime.errors import UserError

PARAMS = profile.load(profile.DEFAULT)
PARAMS["theirs"]["runs"] = {
    name: {"path": "samples", "sha256": name * 64, "features": next(iter(PARAMS["features"]["runs"]))} for name in "ab"
}
RUNS = [family for family in FAMILIES if "runs" in PARAMS[family]]
for family in set(RUNS) - {name for other in RUNS for name in FAMILIES[other].names}:  # named by runs
    PARAMS[family]["runs"] = dict(list(PARAMS[family]["runs"].items())[:2])
HYPERPARAMETERS = [
    (family, hyperparameter) for family, schema in SCHEMAS.items() for hyperparameter in schema.model_fields
]
TRICKS = [
    "../x", "..", ".", "", "/etc/passwd", "a/b", "a\\b", "a;id", "$(id)", "`id`", "a b", "a\nb", "a\x00b", "A", "ä",
    "а", "１", "🙂", "-rf", "_a", "a@b", "a.b", "${vae}", "%s", "a" * 65, "~", "*", "con:", "a'b", 'a"b', 7, 1.5,
    True, None,
]  # fmt: skip
TEXTS = ["", "x", "1", "ten", "1e-3", "None", "../x", "ä", "🙂", "$(id)", "[1]", "{}", "nan"]
OTHERS: dict[type, list[Any]] = {
    bool: [0, 1, 2.5, None, [], {}, [True], *TEXTS],
    int: [2.5, True, False, None, [], {}, [1], *TEXTS],
    float: [True, None, [], {}, [1.0], float("nan"), float("inf"), -float("inf"), *TEXTS],
    str: [0, 1.5, True, None, [], {}, ["x"], {"x": 1}],
    list: [2.5, True, {}, *TEXTS],
}
"""What is no value of a hyperparameter whose value is of the type."""


def put(params: dict, place: str, family: str, hyperparameter: Any, value: Any) -> str:
    """Write a value where the family or its first run has it, and return the key's path."""
    if place == "base":
        params[family][hyperparameter] = value
        return f"{family}.{hyperparameter}"
    run = next(iter(params[family]["runs"]))
    params[family]["runs"][run] = {**params[family]["runs"][run], hyperparameter: value}
    return f"{family}.runs.{run}.{hyperparameter}"


def places(family: str) -> st.SearchStrategy[str]:
    return st.sampled_from(["base", "run"] if family in RUNS else ["base"])


def bounds(family: str, hyperparameter: str) -> list[float]:
    """Return numbers outside the hyperparameter's range."""
    outside = []
    for rule in SCHEMAS[family].model_fields[hyperparameter].metadata:
        match rule:
            case Ge(ge):
                outside += [ge - 1, ge - 10**6]
            case Gt(gt):
                outside += [gt, gt - 1]
            case Le(le):
                outside += [le + 1]
            case Lt(lt):
                outside += [lt, lt + 1]
    return outside


@st.composite
def wrong_type(draw: st.DrawFn) -> tuple[dict, str]:
    params = copy.deepcopy(PARAMS)
    family, hyperparameter = draw(
        st.sampled_from([pair for pair in HYPERPARAMETERS if type(PARAMS[pair[0]][pair[1]]) in OTHERS])
    )
    value = draw(st.sampled_from(OTHERS[type(PARAMS[family][hyperparameter])]))
    return params, put(params, draw(places(family)), family, hyperparameter, value)


@st.composite
def out_of_range(draw: st.DrawFn) -> tuple[dict, str]:
    params = copy.deepcopy(PARAMS)
    family, hyperparameter = draw(st.sampled_from([pair for pair in HYPERPARAMETERS if bounds(*pair)]))
    value = type(PARAMS[family][hyperparameter])(draw(st.sampled_from(bounds(family, hyperparameter))))
    return params, put(params, draw(places(family)), family, hyperparameter, value)


@st.composite
def unknown_key(draw: st.DrawFn) -> tuple[dict, str]:
    params = copy.deepcopy(PARAMS)
    family, hyperparameter = draw(st.sampled_from(HYPERPARAMETERS))
    key = draw(
        st.sampled_from(
            [
                f"{hyperparameter}s_",
                f"_{hyperparameter}",
                hyperparameter.upper(),
                hyperparameter[:-1] + "?",
                "../x",
                "ä",
                3,
                None,
                True,
            ]
        )
    )
    put(params, draw(places(family)), family, key, draw(st.sampled_from([1, None, "x"])))
    return params, key if isinstance(key, str) else f"{key}: "


@st.composite
def missing(draw: st.DrawFn) -> tuple[dict, str]:
    params = copy.deepcopy(PARAMS)
    family, hyperparameter = draw(st.sampled_from([*HYPERPARAMETERS, *((family, "runs") for family in RUNS)]))
    if draw(st.booleans()):
        del params[family][hyperparameter]
        return params, f"{family}.{hyperparameter}"
    section = draw(st.sampled_from(list(params)))
    if draw(st.booleans()):
        del params[section]
    else:
        params[section] = draw(st.sampled_from([None, 3, "x", [], [1]]))
    return params, section


@st.composite
def trick_name(draw: st.DrawFn) -> tuple[dict, str]:
    params, name = copy.deepcopy(PARAMS), draw(st.sampled_from(TRICKS))
    section = draw(st.sampled_from(["data", *SCHEMAS]))
    entries = params["data"] if section == "data" else params[section]["games" if section == "dirac" else "runs"]
    entries[name] = next(iter(entries.values()), {})
    return params, f"{name!r} is not a {'data set' if section == 'data' else 'run'} name"


@st.composite
def like(draw: st.DrawFn) -> tuple[dict, str]:
    params = copy.deepcopy(PARAMS)
    family = draw(st.sampled_from([name for name in RUNS if len(PARAMS[name]["runs"]) > 1]))
    runs = params[family]["runs"]
    a, b = (name for name in list(runs)[:2])
    target = draw(st.sampled_from([a, b, "nobody", "../x", "ä", 3, None, [], {}, [a]]))
    runs[a] = {**runs[a], "like": target}
    if target == b:
        runs[b] = {**runs[b], "like": draw(st.sampled_from([a, b]))}
    return params, f"{family}.runs.{a}.like"


@st.composite
def reference(draw: st.DrawFn) -> tuple[dict, str]:
    """A run that names a data set or feature network which is not there."""
    params = copy.deepcopy(PARAMS)
    family = draw(st.sampled_from([name for name in RUNS if FAMILIES[name].names]))
    key = draw(st.sampled_from(FAMILIES[family].names))
    return params, put(params, "run", family, key, draw(st.sampled_from([*TRICKS, [], {}, ["x"]])))


MALFORMED = {
    "wrong type": wrong_type, "out of range": out_of_range, "unknown key": unknown_key, "missing": missing,
    "name": trick_name, "like": like, "reference": reference,
}  # fmt: skip


def test_what_the_malformed_ones_are_made_from_is_accepted():
    assert expand(PARAMS)


@pytest.mark.parametrize("kind", MALFORMED)
def test_each_is_refused_with_a_sentence_that_names_the_key(kind):
    seen = set()

    @settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
    @given(MALFORMED[kind]())
    def check(case: tuple[dict, str]) -> None:
        params, key = case
        event(key)
        with pytest.raises(UserError) as refused:
            expand(params)
        message = str(refused.value)
        assert message.startswith("params.yaml cannot be run:\n") and key in message, (key, message)
        seen.add(repr(params))

    check()
    assert len(seen) >= 30  # of each of the seven kinds: 210 different ones at least


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("vae: {epochs: 1", "line 1"),
        ("vae:\n\tepochs: 1", "line 2"),
        ("vae: 1\nvae: 2", "line 2"),
        ("- 1\n- 2", "not a mapping"),
        ("", "not a mapping"),
        ("just text", "not a mapping"),
        ("a: &a [*a]", "a: unknown key"),
        ("vae: !!python/object/apply:os.system [id]", "not YAML"),
        ("a: b: c", "line 1"),
        ("\x07", "not YAML"),
        ("? [1, 2]\n: 3", "unknown key"),
        ("{{}: 1}", "not"),
        ("vae: *nothing", "line 1"),
    ],
)
def test_what_is_no_mapping_is_said_with_its_place(tmp_path, text, word):
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(UserError) as refused:
        expand(read(tmp_path / "params.yaml"))
    assert word in str(refused.value)


@pytest.mark.slow
def test_through_dvc_alone_nothing_is_trained(tmp_path):
    checkout = Checkout(tmp_path)
    with checkout.params() as params:
        params["vae"]["runs"]["a"]["epochs"] = "many"
    done = checkout.run("dvc", "repro", check=False)
    assert done.returncode != 0
    assert "vae.runs.a.epochs: 'many' is not a whole number" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not any((tmp_path / folder).exists() for folder in ("data", "models", "scores", "reports/report.md"))
