"""Train the planar flows of one depth, all at once: `python -m stages.train_flow plan/train_flow/<run>.yaml`."""

from pipeline.flow.train import fit
from pipeline.runtime.device import prepare
from stages.job import Job, run


def main(job: Job) -> None:
    prepare()
    fit(job.output, scratch=job.scratch, log=job.log, **job.plan.settings)


if __name__ == "__main__":
    run(main)
