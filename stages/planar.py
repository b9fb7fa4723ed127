"""Show what single planar layers do and cost: `python -m stages.planar plan/planar/<run>.yaml`."""

from pipeline.flow.layers import show
from pipeline.runtime.device import prepare
from stages.job import Job, run


def main(job: Job) -> None:
    prepare()
    show(job.output, **job.plan.settings)


if __name__ == "__main__":
    run(main)
