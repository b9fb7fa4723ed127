"""One thread per test process, as the stages themselves run: two test processes share two cores."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
