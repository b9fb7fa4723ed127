"""Train the SimSiam networks of one run: `python -m stages.train_simsiam plan/train_simsiam/<run>.yaml`."""

from pipeline.runtime.device import prepare
from pipeline.simsiam.settings import Training
from pipeline.simsiam.train import train
from stages.job import Job, run


def main(job: Job) -> None:
    train(job.input("data"), job.output, job.settings(Training), job.context(prepare()))


if __name__ == "__main__":
    run(main)
