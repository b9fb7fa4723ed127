"""One thread per test process, as the stages themselves run, and the CPU, unless another device is asked for."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("PIPELINE_DEVICE", "cpu")
