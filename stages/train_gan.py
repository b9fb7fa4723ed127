"""Train the generators and critics of one run: `python -m stages.train_gan plan/train_gan/<run>.yaml`."""

from pipeline.gan.settings import Training
from pipeline.gan.train import train
from pipeline.runtime.device import prepare
from stages.job import Job, run


def main(job: Job) -> None:
    train(job.input("data"), job.output, job.settings(Training), job.context(prepare()))


if __name__ == "__main__":
    run(main)
