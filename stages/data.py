"""Make one data set: `python -m stages.data plan/data/<set>.yaml`."""

from pipeline.data.build import build
from pipeline.data.settings import Making
from stages.job import Job, run


def main(job: Job) -> None:
    build(job.plan.run, job.output, job.settings(Making))


if __name__ == "__main__":
    run(main)
