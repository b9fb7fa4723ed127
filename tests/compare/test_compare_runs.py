"""Revisions, groups and tables on files that are made up; `test_compare_experiments.py` asks DVC itself."""

import hashlib
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import yaml

from pipeline.compare import metrics, render, scored, tables
from pipeline.compare.render import Compared
from pipeline.compare.revisions import Revision
from pipeline.runtime.errors import UserError
from pipeline.runtime.plan import Plan


def md5(content):
    return hashlib.md5(content).hexdigest()


class State:
    """Files of a revision in which GANs were trained and scored."""

    def __init__(self):
        self.files, self.stages = {}, {}
        for stage in ("train_gan", "score_gan"):
            self.files[f"sources/{stage}.yaml"] = b"modules: {a.py: '1'}\npackages: {torch: '2'}"

    def read_bytes(self, path):
        if path not in self.files:
            raise FileNotFoundError(path)
        return self.files[path]

    def gan(self, run, values, penalty="none", weights="w", **protocol):
        """Add a run with a Fréchet distance per seed."""
        settings = {"objective": {"penalty": penalty}, "schedule": {"seeds": list(range(len(values)))}}
        model = f"models/gan/{run}"
        self._ran(Plan("train_gan", run, {"data": "data/x"}, model, settings), f"{run} {penalty} {weights}")
        seeds = {str(seed): {"final": {"frechet_distance": value}} for seed, value in enumerate(values)}
        names = {"frechet_distance": "FD (classifier)"}
        content = json.dumps({"protocol": {"data": "x", "names": names, **protocol}, "seeds": seeds}).encode()
        self.files[f"scores/gan/{run}/metrics.json"] = content
        self._ran(Plan("score_gan", run, {"model": model}, f"scores/gan/{run}", {"samples": 10}), md5(content))
        return self

    def likelihood(self, run, images):
        """Add an autoencoder with log p(x) of every image."""
        tree = {"0": {"log_likelihood": {"1": {"value": -9.0}, "50": {"value": float(np.mean(images))}}}}
        folder, stored = f"scores/likelihood/{run}", io.BytesIO()
        np.save(stored, np.array([images]))
        self.files[f"{folder}/log_likelihood.npy"] = stored.getvalue()
        self.files[f"{folder}/metrics.json"] = json.dumps({"protocol": {}, "seeds": tree}).encode()
        self._ran(Plan("likelihood", run, {}, folder, {}), run)

    def _ran(self, plan, output):
        self.files[str(plan.path)] = plan.text().encode()
        deps = {
            folder: self.stages[w]["outs"][0]["md5"] for folder in plan.inputs.values() if (w := self.writer(folder))
        }
        deps |= {
            path: md5(self.files[path]) for path in (str(plan.path), f"sources/{plan.stage}.yaml") if path in self.files
        }
        self.stages[plan.address] = {
            "deps": [{"path": path, "md5": checksum} for path, checksum in deps.items()],
            "outs": [{"path": plan.output, "md5": md5(output.encode())}],
        }

    def writer(self, folder):
        return next((name for name, stage in self.stages.items() if stage["outs"][0]["path"] == folder), None)

    def revision(self, name="workspace"):
        self.files["dvc.lock"] = yaml.safe_dump({"stages": self.stages}).encode()
        return Revision(name, self)


def test_one_run_in_two_revisions():
    none, r1 = State().gan("main", [10.0, 12.0]), State().gan("main", [5.0, 6.0], "r1")
    for state in (none, r1):
        state.gan("same", [1.0])
    (group,) = scored.groups([none.revision("none"), r1.revision("r1")])
    assert (group.title, list(group.members), group.notes) == ("score_gan@main", ["none", "r1"], [])
    assert group.differing("settings") == {"penalty": ["none", "r1"]} and not group.differing("sources")
    ranking = tables.rank(group, "final.frechet_distance")
    assert [(row.label, row.mean) for row in ranking.rows] == [("r1", 5.5), ("none", 11.0)]
    (pair,) = ranking.pairs
    assert (pair.first, pair.second, pair.seeds, pair.difference.mean) == ("r1", "none", ("0", "1"), -5.5)


def test_scores_of_earlier_weights_are_left_out_and_said():
    before, after = State().gan("main", [10.0, 12.0]), State().gan("main", [10.0, 12.0])
    third = State().gan("main", [9.0, 8.0], "gp")
    after.stages["train_gan@main"]["outs"][0]["md5"] = "new"
    (group,) = scored.groups([before.revision("a"), after.revision("b"), third.revision("c")])
    assert list(group.members) == ["a", "c"]
    assert group.notes == [
        "b is left out: its scores are stale: score_gan@main was last run before models/gan/main was rewritten."
    ]


def test_what_is_stale_everywhere_is_said_once():
    one, two = State().gan("main", [1.0]).gan("old", [1.0]), State().gan("main", [2.0], "r1").gan("old", [1.0])
    for state in (one, two):
        state.stages["train_gan@old"]["outs"][0]["md5"] = "new"
    group, rest = scored.groups([one.revision("a"), two.revision("b")])
    assert group.title == "score_gan@main" and group.notes == []
    assert rest.notes == ["The scores of score_gan@old are stale in all of them."]


@pytest.mark.parametrize("path", ["plan/train_gan/main.yaml", "sources/score_gan.yaml"])
def test_scores_of_another_plan_or_code_are_stale(path):
    state = State().gan("main", [10.0])
    state.files[path] += b"\n# changed"
    stage = f"{path.split('/')[1].removesuffix('.yaml')}@main"
    assert state.revision().stale("score_gan@main") == f"{stage} was last run before {path} changed"


def test_runs_of_one_revision_are_compared_where_they_are_scored_alike():
    state = State().gan("a", [3.0, 4.0]).gan("b", [1.0, 2.0], "r1").gan("other", [0.0], data="y")
    (group,) = scored.groups([state.revision()])
    assert (group.title, list(group.members)) == ("score_gan on x", ["a", "b"])
    (named,) = scored.groups([state.revision(), state.revision("again")], ["a", "b"])
    assert list(named.members) == ["workspace: a", "workspace: b", "again: a", "again: b"]


def test_what_is_not_alike_is_said():
    state = State().gan("a", [3.0, float("nan")]).gan("b", [1.0, 2.0], images=5000)
    (group,) = scored.groups([state.revision()])
    other = replace(group.members["b"], sources={"a.py": "1", "torch": "3"})
    group = replace(group, members={**group.members, "b": other})
    text = render.text([Compared(group, [tables.rank(group, "final.frechet_distance")])])
    assert "- a: final.frechet_distance of seed 1 is nan, left out." in text
    assert "- Compare with care: the runs differ in the number of images." in text
    assert "- Computed by different code or packages: torch." in text
    assert "one seed in common: no interval; train at least 3" in text


def test_what_few_runs_have_differently_is_said_of_them():
    state = State()
    for number, images in enumerate((2000, 2000, 2000, 5000, 7000)):
        state.gan("abcde"[number], [3.0, float(number)], images=images)
    (group,) = scored.groups([state.revision()])
    assert "Compare with care: d, e differ from the rest in the number of images." in render.notes(group)
    fewer = replace(group, members={name: group.members[name] for name in "abcd"})
    assert "Compare with care: d differs from the rest in the number of images." in render.notes(fewer)


def test_a_removed_run_is_no_run_of_the_revision():
    state = State().gan("main", [10.0]).gan("gone", [9.0])
    del state.files["plan/score_gan/gone.yaml"]
    assert "score_gan@gone" not in state.revision().plans


def test_what_is_not_in_the_cache_says_how_to_get_it():
    state = State().gan("main", [10.0])
    revision = state.revision("old")
    for path in [path for path in state.files if path.startswith("plan/")]:
        del state.files[path]
    with pytest.raises(UserError, match="old: its outputs are not in DVC's cache; `dvc fetch"):
        scored.groups([revision])
    with pytest.raises(UserError, match="nothing has run"):
        Revision("empty", State())


def ranked(**runs):
    state = State()
    for run, values in runs.items():
        state.gan(run, values)
    (group,) = scored.groups([state.revision()])
    return group, tables.rank(group, "final.frechet_distance")


def test_verdicts():
    base = np.array([100.0, 120.0, 90.0])
    _, ranking = ranked(good=base, close=base + np.array([1.0, -2.0, 3.0]), bad=base + np.array([50.0, 51.0, 50.5]))
    verdicts = {pair.second: pair.verdict() for pair in ranking.to_first}
    assert verdicts["bad"] == "told apart"
    assert verdicts["close"] == "cannot be told apart with 3 seeds; about 114 would be needed"
    assert ranking.summary() == "good has the best mean; it is told apart from bad, not from close."


def test_a_pair_that_many_pairs_hide():
    base = np.array([0.0, 1.0, 2.0])
    noise = {f"r{k}": base + np.random.default_rng(k).normal(4, 5, 3) for k in range(4)}
    _, ranking = ranked(best=base, second=base + np.array([1.0, 1.5, 1.2]), **noise)
    (pair,) = [pair for pair in ranking.pairs if {pair.first, pair.second} == {"best", "second"}]
    assert pair.difference.p < 0.05 < pair.adjusted
    assert pair.verdict() == "told apart as a single pair, not among all pairs of this table"


def test_intervals_over_images():
    state, random = State(), np.random.default_rng(0)
    images = random.normal(-100, 20, 250)
    state.likelihood("a", images)
    state.likelihood("b", images + random.normal(1, 1, 250))
    (group,) = scored.groups([state.revision()])
    names = metrics.chosen("likelihood", group.members["a"].values)
    assert names == ["log_likelihood.50.value"]
    (pair,) = tables.rank(group, names[0]).pairs
    assert (pair.first, pair.second) == ("b", "a") and pair.difference.interval is None
    assert 0.8 < pair.images.low < pair.difference.mean < pair.images.high < 1.2


def test_files_that_are_written(tmp_path):
    group, ranking = ranked(a=[1.0, 2.0, 4.0], b=[3.0, 1.0, 2.0])
    files = render.write([Compared(group, [ranking])], tmp_path)
    assert [file.name for file in files] == ["comparison.md", "ranking.csv", "differences.csv", "score_gan-on-x.png"]
    assert all(file.stat().st_size for file in files)
    head, row = (tmp_path / "differences.csv").read_text().splitlines()
    assert head.split(",")[:5] == ["group", "metric", "first", "second", "seeds"]
    assert row.startswith("score_gan on x,final.frechet_distance,b,a,0 1 2,")
    assert "FD (classifier), last generator" in (tmp_path / "comparison.md").read_text()


def test_names_and_directions_of_numbers():
    assert metrics.flat({"a": {"b": 1, "c": [1.0], "d": None, "e": True}, "f": 2.5}) == {"a.b": 1.0, "f": 2.5}
    assert metrics.better("smooth.samples.arcs.test_nll") == "smaller" and metrics.better("knn.last") == "larger"
    assert metrics.better("real.shares") == ""
    assert metrics.chosen("score_gan", ["final.kid", "raw.kid"], ["*.kid"]) == ["final.kid", "raw.kid"]
