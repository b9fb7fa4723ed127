"""Make the evaluator of one data set: `python -m stages.features plan/features/<run>.yaml`."""

from pipeline.features.build import build
from pipeline.features.settings import Evaluation
from pipeline.runtime.device import prepare
from stages.job import Job, run


def main(job: Job) -> None:
    build(job.input("data"), job.output, job.settings(Evaluation), job.context(prepare()))


if __name__ == "__main__":
    run(main)
