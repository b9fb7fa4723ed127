"""Train the autoencoders of one run: `python -m stages.train_vae plan/train_vae/<run>.yaml`."""

from pipeline.runtime.device import prepare
from pipeline.vae.settings import Training
from pipeline.vae.train import train
from stages.job import Job, run


def main(job: Job) -> None:
    train(job.input("data"), job.output, job.settings(Training), job.context(prepare()))


if __name__ == "__main__":
    run(main)
