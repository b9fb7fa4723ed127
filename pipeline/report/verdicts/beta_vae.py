"""Claims C70 to C76: convolutional autoencoders, the weight of KL and its schedule, on test images."""

from collections.abc import Mapping
from itertools import pairwise

from pipeline.report.claims import Claim, Seeds, each, shared

SAME = 0.1  # by which two reconstructions may differ that count as one, relative
FAR = 2.0  # how many times worse the samples of the plain autoencoder must be

Scores = Mapping[str, Mapping[str, float]]
"""Several numbers of each seed."""


def sizes(reconstruction: Mapping[int, Seeds], figure: str = "", limit: str = "") -> Claim:
    """Test C70 on the reconstruction error of autoencoders by their latent size."""
    ordered = {size: reconstruction[size] for size in sorted(reconstruction)}
    seeds = shared(*ordered.values())
    return Claim(
        "C70",
        "003",
        "The more latent dimensions, the lower the reconstruction loss: 1024 below 128 below 16.",
        "the error falls from each size to the next",
        "; ".join(f"{size}: {each((at[s] for s in seeds), 1)}" for size, at in ordered.items()) if seeds else "",
        [all(a[seed] > b[seed] for a, b in pairwise(ordered.values())) for seed in seeds],
        figure,
        limit,
    )


def weights(scores: Mapping[float, Scores], figure: str = "", limit: str = "") -> Claim:
    """Test C71 on `reconstruction` and `kl` by beta."""
    ordered = [scores[beta] for beta in sorted(scores)]
    seeds = shared(*ordered)
    return Claim(
        "C71",
        "003",
        "A higher beta gives a higher reconstruction loss and a lower KL.",
        "from each beta to the next the reconstruction error rises and KL falls",
        _by_beta(scores, seeds, ("reconstruction", "kl")),
        [
            all(
                a[s]["reconstruction"] < b[s]["reconstruction"] and a[s]["kl"] > b[s]["kl"]
                for a, b in pairwise(ordered)
            )
            for s in seeds
        ],
        figure,
        limit,
    )


def sharper(samples: Mapping[float, Scores], figure: str = "", limit: str = "") -> Claim:
    """Test C72 on `frechet_distance` and `sharpness` of samples by beta, the lowest and the highest of them."""
    low, high = samples[min(samples)], samples[max(samples)]
    seeds = shared(low, high)
    return Claim(
        "C72",
        "003",
        "Samples with beta 0.8 are less blurry than with 1.2.",
        "they are sharper (variance of the Laplacian) and nearer to real images (Fréchet distance)",
        _by_beta({min(samples): low, max(samples): high}, seeds, ("sharpness", "frechet_distance")),
        [
            low[s]["sharpness"] > high[s]["sharpness"] and low[s]["frechet_distance"] < high[s]["frechet_distance"]
            for s in seeds
        ],
        figure,
        limit,
    )


def weightless(autoencoder: Seeds, mean: Seeds, drawn: Seeds, figure: str = "", limit: str = "") -> Claim:
    """Test C73 on reconstruction errors at beta = 0: with the mean of q as code, and with a draw of q."""
    seeds = shared(autoencoder, mean, drawn)
    return Claim(
        "C73",
        "003",
        "At beta = 0 a VAE is not quite an autoencoder; without reparameterised draws it is one.",
        f"with the mean as code the error is that of the autoencoder within {SAME:.0%}; with a draw it is higher",
        f"autoencoder {each((autoencoder[s] for s in seeds), 1)}, mean {each((mean[s] for s in seeds), 1)},"
        f" draw {each((drawn[s] for s in seeds), 1)}"
        if seeds
        else "",
        [abs(mean[s] / autoencoder[s] - 1) <= SAME and drawn[s] > max(mean[s], autoencoder[s]) for s in seeds],
        figure,
        limit,
    )


def schedule(constant: Scores, linear: Scores, figure: str = "", limit: str = "") -> Claim:
    """Test C74 on `reconstruction` and `kl` of a constant beta = 1 and of one that rises to it."""
    seeds = shared(constant, linear)
    words = {"constant": constant, "linear": linear}
    return Claim(
        "C74",
        "003",
        "A beta that rises on a line from 0 gives a lower reconstruction loss and a higher KL than beta = 1.",
        "the reconstruction error is lower and KL is higher",
        "; ".join(f"{name}: {_terms(at, seeds, ('reconstruction', 'kl'))}" for name, at in words.items())
        if seeds
        else "",
        [
            linear[s]["reconstruction"] < constant[s]["reconstruction"] and linear[s]["kl"] > constant[s]["kl"]
            for s in seeds
        ],
        figure,
        limit,
    )


def unsampled(autoencoder: Seeds, variational: Seeds, figure: str = "", limit: str = "") -> Claim:
    """Test C75 on the Fréchet distance of what draws of N(0, I) decode to."""
    seeds = shared(autoencoder, variational)
    return Claim(
        "C75",
        "003",
        "The latent space of a plain autoencoder cannot be sampled from.",
        f"the Fréchet distance of its samples is at least {FAR:g} times that of the VAE of the same latent size",
        f"autoencoder {each((autoencoder[s] for s in seeds), 1)}, VAE {each((variational[s] for s in seeds), 1)}"
        if seeds
        else "",
        [autoencoder[s] >= FAR * variational[s] for s in seeds],
        figure,
        limit,
    )


def units(active: Mapping[float, Seeds], figure: str = "", limit: str = "") -> Claim:
    """Test C76 on the number of latent dimensions with a share in KL, by beta."""
    ordered = {beta: active[beta] for beta in sorted(active)}
    seeds = shared(*ordered.values())
    return Claim(
        "C76",
        "003 (hand-out)",
        "The number of active latent units depends on beta.",
        "from each beta to the next fewer units have a KL above 0.01 nats",
        "; ".join(f"beta {beta:g}: {each((at[s] for s in seeds), 0)}" for beta, at in ordered.items()) if seeds else "",
        [all(a[seed] > b[seed] for a, b in pairwise(ordered.values())) for seed in seeds],
        figure,
        limit,
    )


def _by_beta(scores: Mapping[float, Scores], seeds: list[str], terms: tuple[str, ...]) -> str:
    if not seeds:
        return ""
    return "; ".join(f"beta {beta:g}: {_terms(scores[beta], seeds, terms)}" for beta in sorted(scores))


def _terms(scores: Scores, seeds: list[str], terms: tuple[str, ...]) -> str:
    words, digits = {"kl": "KL", "frechet_distance": "Fréchet distance"}, {"sharpness": 4}
    return ", ".join(
        f"{words.get(term, term)} {each((scores[s][term] for s in seeds), digits.get(term, 2))}" for term in terms
    )
