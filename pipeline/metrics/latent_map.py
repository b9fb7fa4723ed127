"""Maps of latents in the plane by t-SNE, and how well latents and map separate the classes.

scikit-learn is imported inside functions: it takes a second, and few runs need it. Modules of this repository never are
where a stage imports them, since one that is edited while the stage runs would be read after it was verified.
"""

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pipeline.metrics.mappable import PERPLEXITY

NEIGHBOURS = 10


def tsne(latents: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Return points in the plane, `(n, 2)`, whose neighbourhoods are those of `latents`, `(n, d)`.

    One thread: the order of a sum over threads would change the last bits, and t-SNE amplifies them.

    Args:
        latents: Latents, `(n, d)`; more than `PERPLEXITY` of them.
        seed: Seed of the randomised principal components that the points start from.

    Reference: van der Maaten & Hinton, Visualizing Data using t-SNE, JMLR 9, 2008.
    """
    from sklearn.manifold import TSNE

    with threadpool_limits(1):
        points = TSNE(perplexity=PERPLEXITY, init="pca", random_state=seed).fit_transform(latents)
    return np.asarray(points, np.float32)


def separation(points: NDArray[np.float32], labels: NDArray[np.int64], seed: int) -> dict[str, float]:
    """Return how far the classes of labelled points lie apart.

    Args:
        points: Points, `(n, d)`.
        labels: Classes of the points, `(n,)`.
        seed: Seed of the clustering.

    Returns:
        `knn_accuracy`, each point classified by its nearest others; `silhouette`, the mean over points with labels as
        clusters; `adjusted_rand_index` of the labels and k-means with as many clusters as classes.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score, silhouette_score
    from sklearn.neighbors import NearestNeighbors

    classes = len(np.unique(labels))
    with threadpool_limits(1):
        found = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(points).kneighbors(return_distance=False)
        votes = (labels[found][..., None] == np.arange(labels.max() + 1)).sum(1)
        clusters = KMeans(classes, n_init=10, random_state=seed).fit_predict(points)
        return {
            "knn_accuracy": float((votes.argmax(1) == labels).mean()),
            "silhouette": float(silhouette_score(points, labels)),
            "adjusted_rand_index": float(adjusted_rand_score(labels, clusters)),
        }
