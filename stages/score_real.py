"""Score real images, damaged and not, and noise: `python -m stages.score_real plan/score_real/<run>.yaml`."""

from pipeline.features.real import score
from pipeline.features.settings import Evaluation
from pipeline.runtime.device import prepare
from stages.job import Job, run


def main(job: Job) -> None:
    data, features = job.input("data"), job.input("features")
    score(data, features, job.output, job.settings(Evaluation), job.context(prepare()))


if __name__ == "__main__":
    run(main)
