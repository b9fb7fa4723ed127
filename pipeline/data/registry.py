"""The data sets that have a name: where they come from, their checksums, licences and citations.

Only the standard library is imported here: the schema of params.yaml reads the names.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class File:
    """One official file.

    Args:
        name: Name of the file, in the mirror too.
        checksum: `md5:...` or `sha256:...` of the official bytes.
        url: Official address; empty for a member of an archive.
        members: What the archive holds, path to checksum; a mirror may hold these extracted in its place.
    """

    name: str
    checksum: str
    url: str = ""
    members: tuple["File", ...] = ()


@dataclass(frozen=True)
class Source:
    """One data set by its name.

    Args:
        title: The set's full name.
        licence: Its terms, in a few words.
        citation: Whom to cite.
        url: Its home page.
        split: How its splits come about.
        classes: Names of the labels, in order; empty where there are no labels or they are read from the files.
        levels: Grey levels of a pixel; 2 means that pixels are 0 or 1.
        note: What the set stands in for, or what else must be known.
        folder: Its folder in a mirror.
        files: Its official files; none for a set that comes with this repository's requirements or is rendered.
    """

    title: str
    licence: str
    citation: str
    url: str
    split: str
    classes: tuple[str, ...] = ()
    levels: int = 256
    note: str | None = None
    folder: str = ""
    files: tuple[File, ...] = ()

    def without(self, chosen: Iterable[str]) -> str | None:
        """Say which of the `chosen` classes the set has not, and which it has; `None` if it has them all."""
        if not self.classes:
            return "the set has no labels, so no classes can be chosen"
        missing = [name for name in chosen if name not in self.classes]
        return f"no class {', '.join(missing)}; there are {', '.join(self.classes)}" if missing else None


DIGITS = tuple("0123456789")
SHAPES = ("disc", "ring", "square", "frame", "triangle", "cross", "star", "bars", "moon", "checker")

_IMAGENETTE = (
    "tench", "English springer", "cassette player", "chain saw", "church",
    "French horn", "garbage truck", "gas pump", "golf ball", "parachute",
)  # fmt: skip
_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_BINARIZED = "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/"
_SVHN = "http://ufldl.stanford.edu/housenumbers/"

OFFICIAL = {
    "mnist": Source(
        title="MNIST handwritten digits",
        licence="CC BY-SA 3.0 (LeCun, Cortes and Burges)",
        citation="LeCun, Bottou, Bengio & Haffner, Gradient-Based Learning Applied to Document Recognition,"
        " Proceedings of the IEEE 86, 1998",
        url="http://yann.lecun.com/exdb/mnist/",
        split="the official 60,000 training images in a fixed random order, the last 5,000 of it for validation;"
        " the official test split",
        classes=DIGITS,
        folder="mnist",
        files=tuple(
            File(f"{name}.gz", f"md5:{packed}", f"{_MNIST}{name}.gz", (File(name, f"md5:{plain}"),))
            for name, packed, plain in (
                ("train-images-idx3-ubyte", "f68b3c2dcbeaaa9fbdd348bbdeb94873", "6bbc9ace898e44ae57da46a324031adb"),
                ("train-labels-idx1-ubyte", "d53e105ee54ea40749a09fcbcd1e9432", "a25bea736e30d166cdddb491f175f624"),
                ("t10k-images-idx3-ubyte", "9fb629c4189551a2d022fa330f9573f3", "2646ac647ad5339dbf082846283269ea"),
                ("t10k-labels-idx1-ubyte", "ec29112dd5afa0611ce80d1b7f02629c", "27ae3e4e09519cfbb04c329615203637"),
            )
        ),
    ),
    "binarized_mnist": Source(
        title="MNIST in Larochelle's fixed binarisation",
        licence="CC BY-SA 3.0 (MNIST: LeCun, Cortes and Burges; binarisation: Larochelle)",
        citation="Larochelle & Murray, The Neural Autoregressive Distribution Estimator, AISTATS 2011;"
        " Salakhutdinov & Murray, On the Quantitative Analysis of Deep Belief Networks, ICML 2008",
        url="http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/",
        split="the three official files",
        levels=2,
        folder="binarized_mnist",
        files=tuple(
            File(name := f"binarized_mnist_{split}.amat", f"md5:{md5}", _BINARIZED + name)
            for split, md5 in (
                ("train", "db28b1a6ae0fe70cbd3da91acf46e477"),
                ("valid", "bf37822a04e94123630de6a7dfd9c9ef"),
                ("test", "14e41ae11040adba6ab8cb291eda0dd8"),
            )
        ),
    ),
    "svhn": Source(
        title="Street View House Numbers, cropped digits",
        licence="for non-commercial use (Netzer et al.)",
        citation="Netzer, Wang, Coates, Bissacco, Wu & Ng, Reading Digits in Natural Images with Unsupervised Feature"
        " Learning, NIPS Workshop on Deep Learning and Unsupervised Feature Learning, 2011",
        url="http://ufldl.stanford.edu/housenumbers/",
        split="the official train and test splits; the split `extra` is not used",
        classes=DIGITS,
        folder="svhn",
        files=(
            File("train_32x32.mat", "md5:e26dedcc434d2e4c54c9b2d4a06d8373", f"{_SVHN}train_32x32.mat"),
            File("test_32x32.mat", "md5:eb5a983be6a315427106f1b164d9cef3", f"{_SVHN}test_32x32.mat"),
        ),
    ),
    "cifar10": Source(
        title="CIFAR-10",
        licence="no licence is stated; its author asks for the citation",
        citation="Krizhevsky, Learning Multiple Layers of Features from Tiny Images, University of Toronto, 2009",
        url="https://www.cs.toronto.edu/~kriz/cifar.html",
        split="the official train and test splits",
        classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        folder="cifar10",
        files=(
            File(
                "cifar-10-python.tar.gz",
                "md5:c58f30108f718f92721af3b95e74349a",
                "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
                tuple(
                    File(f"cifar-10-batches-py/{batch}", f"md5:{md5}")
                    for batch, md5 in (
                        ("data_batch_1", "c99cafc152244af753f735de768cd75f"),
                        ("data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"),
                        ("data_batch_3", "54ebc095f3ab1f0389bbae665268c751"),
                        ("data_batch_4", "634d18415352ddfa80567beed471001a"),
                        ("data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"),
                        ("test_batch", "40351d587109b95175f43aff81a1287e"),
                    )
                ),
            ),
        ),
    ),
    "cub200": Source(
        title="Caltech-UCSD Birds-200-2011 at 32x32",
        licence="no licence is stated; for non-commercial research (Caltech)",
        citation="Wah, Branson, Welinder, Perona & Belongie, The Caltech-UCSD Birds-200-2011 Dataset,"
        " California Institute of Technology, CNS-TR-2011-001, 2011",
        url="https://www.vision.caltech.edu/datasets/cub_200_2011/",
        split="all images but the eight grey ones are for training; there is no test split",
        note="whole images, resized to 32x32 without regard to aspect ratio (bicubic) and stored as JPEG once more",
        folder="cub200",
        files=(
            File(
                "CUB_200_2011.tgz",
                "md5:97eceeb196236b17998738112f37df78",
                "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",
            ),
        ),
    ),
    "imagenette": Source(
        title="Imagenette (160-pixel release) at 32x32",
        licence="Apache 2.0 (fast.ai) for the collection; the pictures are ImageNet's, for non-commercial research",
        citation="Howard, Imagenette, https://github.com/fastai/imagenette, 2019;"
        " Deng et al., ImageNet: A Large-Scale Hierarchical Image Database, CVPR 2009",
        url="https://github.com/fastai/imagenette",
        split="the official training split; the official validation split is the test split",
        classes=_IMAGENETTE,
        note="centre square of each picture, resized to 32x32 (bicubic)",
        folder="imagenette",
        files=(
            File(
                "imagenette2-160.tgz",
                "md5:e793b78cc4c9e9a4ccc0c1155377a412",
                "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-160.tgz",
            ),
        ),
    ),
}
"""Sets that are downloaded or read from a mirror."""


def _of_digits(title: str, split: str, note: str, levels: int = 256) -> Source:
    return Source(
        title=title,
        licence="CC BY 4.0 (UCI Machine Learning Repository)",
        citation="Alpaydin & Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998;"
        " the copy in scikit-learn (Pedregosa et al., JMLR 12, 2011)",
        url="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
        split=split,
        classes=DIGITS,
        levels=levels,
        note=note,
    )


EMBEDDED = {
    "digits28": _of_digits(
        title="handwritten digits of scikit-learn, 8x8 scaled to 28x28",
        split="1,797 digits in a fixed random order: 1,297 train, 250 valid, 250 test",
        note="stands in for MNIST; real digits, but coarse and few",
    ),
    "digits16": _of_digits(
        title="handwritten digits of scikit-learn, 8x8 scaled to 12x12 in a frame of 16x16",
        split="1,797 digits in a fixed random order: 1,297 train, 250 valid, 250 test",
        note="stands in for the coloured photographs of the reports where networks must learn within seconds;"
        " real digits, but coarse and few",
    ),
    "binarized_digits28": _of_digits(
        title="handwritten digits of scikit-learn, 28x28, in one fixed binarisation",
        split="1,797 digits in a fixed random order: 1,297 train, 250 valid, 250 test",
        levels=2,
        note="stands in for binarised MNIST: one Bernoulli sample per pixel with its grey level as probability"
        " (Salakhutdinov & Murray 2008)",
    ),
    "street_digits32": _of_digits(
        title="coloured handwritten digits on textured ground, 32x32",
        split="rendered; train and test show disjoint digits",
        note="stands in for SVHN; digits of scikit-learn in random place, size, slant and colour, with neighbours",
    ),
    "street_digits16": _of_digits(
        title="coloured handwritten digits on textured ground, 16x16",
        split="rendered; train and test show disjoint digits",
        note="stands in for SVHN where networks must learn within seconds; the images of street_digits32 at half size",
    ),
    "shapes32": Source(
        title="ten rendered shapes, light on dark, 32x32",
        licence="made by this repository",
        citation="-",
        url="-",
        split="rendered; train and test differ by their seed",
        classes=SHAPES,
        note="stands in for CIFAR-10; made so that class is what remains under crops, flips, rotations and jitter",
    ),
}
"""Sets that need no network."""
