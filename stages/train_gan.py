"""Train the generators and critics of one run: `python -m stages.train_gan plan/train_gan/<run>.yaml`."""

from pipeline.gan.train import fit
from pipeline.runtime.device import prepare
from stages.job import Job, run


def main(job: Job) -> None:
    fit(job.input("data"), job.output, device=prepare(), scratch=job.scratch, log=job.log, **job.plan.settings)


if __name__ == "__main__":
    run(main)
