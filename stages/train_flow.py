"""Train the planar flows of one depth, all at once: `python -m stages.train_flow plan/train_flow/<run>.yaml`."""

from pipeline.flow.settings import Training
from pipeline.flow.train import train
from pipeline.runtime.device import prepare
from stages.job import Job, run


def main(job: Job) -> None:
    train(job.output, job.settings(Training), job.context(prepare(cpu=True)))


if __name__ == "__main__":
    run(main)
