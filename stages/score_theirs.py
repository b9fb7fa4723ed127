"""Score other people's samples: `python -m stages.score_theirs plan/score_theirs/<run>.yaml`."""

from pipeline.runtime.device import prepare
from pipeline.score.samples import score_theirs
from pipeline.score.settings import TheirSamples
from stages.job import Job, run


def main(job: Job) -> None:
    features, real = job.input("features"), job.input("real")
    score_theirs(features, real, job.output, job.settings(TheirSamples), job.context(prepare()))


if __name__ == "__main__":
    run(main)
