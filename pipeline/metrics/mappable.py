"""Of which images a map by t-SNE can be made."""

import numpy as np
from numpy.typing import NDArray

PERPLEXITY = 30.0


def refusal(labels: NDArray[np.int64] | None) -> str:
    """Return why no map can be made of images with these labels, `(n,)`, as the end of a sentence; nothing if one can.

    t-SNE needs more images than its perplexity; to measure how a map separates classes takes several of them, and one
    that repeats.
    """
    if labels is None:
        return "has no labels; a t-SNE map (tsne: true) needs them."
    count, classes = len(labels), len(np.unique(labels))
    if count > PERPLEXITY and 1 < classes < count:
        return ""
    return (
        f"has {count:,} test images of {classes:,} classes; a t-SNE map (tsne: true) needs more than {PERPLEXITY:g}"
        " images, more than one class, and more images than classes."
    )
