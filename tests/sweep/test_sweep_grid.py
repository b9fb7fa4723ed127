"""What a sweep reaches, what is refused before anything is queued, and the queue with workers that quit."""

import pytest
from checkout import params

from pipeline.runtime.errors import UserError
from pipeline.sweep import queue
from pipeline.sweep.__main__ import _free, main
from pipeline.sweep.grid import combinations, plan


def test_combinations():
    assert combinations("gan.penalty=none,r1 gan.batch=32,64") == [
        {"gan.penalty": penalty, "gan.batch": batch} for penalty in ("none", "r1") for batch in ("32", "64")
    ]
    assert combinations("gan.generator_betas=[0.0,0.9],[0.5,0.9]") == [
        {"gan.generator_betas": "[0.0,0.9]"}, {"gan.generator_betas": "[0.5,0.9]"}
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "gan.penalty", "gan.penalty=", "penalty=r1", "gan.penalty r1"])
def test_what_is_no_sweep(text):
    with pytest.raises(UserError, match=r"gan\.penalty=none,r1"):
        combinations(text)


def test_a_sweep_reaches_the_runs_that_inherit_the_value_and_only_their_seeds():
    sweep = plan(params(), combinations("gan.penalty=none,r1,gp"), [0, 1, 2])
    assert sweep.targets == ["score_gan@main"]
    assert sweep.before == ["data@digits16", "features@digits16"]
    assert sweep.experiments["penalty-r1"] == {"gan.penalty": "r1", "gan.runs.main.seeds": "[0,1,2]"}
    assert list(sweep.experiments) == ["penalty-none", "penalty-r1", "penalty-gp"]


def test_a_sweep_of_scoring_trains_all_seeds_of_the_model():
    sweep = plan(params(), combinations("vae.runs.bernoulli.elbo_samples=5,10"), [4])
    assert sweep.targets == ["likelihood@bernoulli"]
    assert sweep.experiments["elbo_samples-5"]["vae.runs.bernoulli.seeds"] == "[4]"
    assert sweep.before == ["data@binarized_digits28"]


def test_without_seeds_the_trainings_are_left_alone():
    sweep = plan(params(), combinations("vae.runs.bernoulli.elbo_samples=5,10"))
    assert sweep.experiments["elbo_samples-10"] == {"vae.runs.bernoulli.elbo_samples": "10"}
    assert sweep.before == ["data@binarized_digits28", "train_vae@bernoulli"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gan.penalty=none,r7", "with gan.penalty=r7, params.yaml cannot be run:\n.*r7"),
        ("gan.penalyt=none,r1", "with gan.penalyt=none, params.yaml cannot be run"),
        ("gan.runs.nobody.penalty=none,r1", "gan.runs.nobody.penalty: no such key in params.yaml"),
        ("gan.penalty=r1", "these experiments do not differ"),
        ("gan.penalty=none,[r1", r"with gan.penalty=\[r1, params.yaml cannot be run"),
    ],
)
def test_what_cannot_be_run_is_refused(text, message):
    with pytest.raises(UserError, match=message):
        plan(params(), combinations(text))


def test_seeds_that_cannot_be_used_are_refused():
    with pytest.raises(UserError, match="seeds"):
        plan(params(), combinations("gan.penalty=none,r1"), [0, 0])


def test_no_jobs_at_once_are_refused(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["sweep", "gan.penalty=none,r1", "--jobs", "0"])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "--jobs: at least 1" in capsys.readouterr().err


def test_a_name_that_is_taken_gets_a_number():
    taken = {"penalty-r1"}
    assert [_free("penalty-r1", taken), _free("penalty-r1", taken)] == ["penalty-r1-2", "penalty-r1-3"]


class Workers:
    """A queue whose workers quit after their first experiment."""

    def __init__(self, names, broken=()):
        self.state, self.broken = dict.fromkeys(names, queue.QUEUED), broken
        self.workers, self.starts = 0, 0

    def start(self, jobs):
        self.workers, self.starts = jobs, self.starts + 1

    def wait(self):
        running = [name for name, status in self.state.items() if status == queue.RUNNING]
        for name in running:
            self.state[name] = queue.FAILED if name in self.broken else queue.SUCCESS
            self.workers -= 1
        for name in [name for name, status in self.state.items() if status == queue.QUEUED][: self.workers]:
            self.state[name] = queue.RUNNING

    def look(self):
        return {**self.state, "another": queue.QUEUED}


def test_workers_that_quit_are_started_again(capsys):
    workers = Workers("abcde", broken=["b"])
    ended = queue.work("abcde", 2, workers.look, workers.start, workers.wait)
    assert ended == {name: queue.FAILED if name == "b" else queue.SUCCESS for name in "abcde"}
    assert workers.starts == 3
    assert "b: running\n" in (printed := capsys.readouterr().out) and "b: failed\n" in printed
