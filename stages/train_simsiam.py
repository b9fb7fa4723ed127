"""Train the SimSiam networks of one run: `python -m stages.train_simsiam plan/train_simsiam/<run>.yaml`."""

from pipeline.runtime.device import prepare
from pipeline.simsiam.train import fit
from stages.job import Job, run


def main(job: Job) -> None:
    fit(job.input("data"), job.output, device=prepare(), scratch=job.scratch, log=job.log, **job.plan.settings)


if __name__ == "__main__":
    run(main)
