"""Scripts of the stages, one each."""

import gc

gc.set_threshold(50_000)  # an import makes many objects that stay: to look through them each time takes a sixth of it
