"""Show what single planar layers do, and count operations: `python -m stages.planar plan/planar/<run>.yaml`."""

from pipeline.flow.layers import show
from pipeline.flow.settings import SingleLayers
from pipeline.runtime.device import prepare
from stages.job import Job, run


def main(job: Job) -> None:
    prepare(cpu=True)
    show(job.output, job.settings(SingleLayers))


if __name__ == "__main__":
    run(main)
