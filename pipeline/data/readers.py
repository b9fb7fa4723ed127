"""The formats in which images are published, each turned into arrays of bytes."""

import gzip
import io
import pickle
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION, TiffImageFile
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from pipeline.data.errors import DataError

Bytes = NDArray[np.uint8]


class AmbiguousError(ValueError):
    """A picture that can be read in more than one way."""


def idx(path: Path) -> Bytes:
    """Read an array of bytes in MNIST's IDX format, gzipped or not; the shape is in its header."""
    raw = path.read_bytes()
    try:
        content = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path}: damaged gzip file ({error}).") from error
    if content[:3] != b"\0\0\x08" or len(content) < 4 or len(content) < 4 + 4 * content[3]:
        raise DataError(f"{path}: no IDX file of bytes.")
    shape = np.frombuffer(content, ">u4", content[3], 4)
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * content[3])
    if values.size != shape.prod(dtype=np.int64):
        raise DataError(f"{path}: {values.size:,} values, its header says {' x '.join(map(str, shape))}.")
    return values.reshape(shape)


def amat(path: Path, columns: int = 784) -> Bytes:
    """Read lines of `columns` digits 0 or 1, one space between two of them; returns `(lines, columns)`."""
    text = np.frombuffer(path.read_bytes(), np.uint8)
    if text.size == 0 or text.size % (2 * columns):
        raise DataError(f"{path}: {text.size:,} bytes are no whole number of lines of {columns} digits.")
    pairs = text.reshape(-1, columns, 2)
    digits, gaps = pairs[..., 0] - ord("0"), pairs[..., 1]
    if digits.max() > 1 or (gaps[:, :-1] != ord(" ")).any() or (gaps[:, -1] != ord("\n")).any():
        raise DataError(f"{path}: something else than digits 0 and 1 with one space between them.")
    return digits


def svhn(path: Path) -> tuple[Bytes, NDArray[np.int64]]:
    """Read SVHN's cropped digits, a Matlab file of `X` `(32, 32, 3, n)` and `y` `(n, 1)`; 10 stands for digit 0."""
    try:
        content = loadmat(path, variable_names=["X", "y"])
        images, labels = content["X"], content["y"].ravel()
    except (ValueError, TypeError, KeyError, NotImplementedError, OSError, MatReadError, zlib.error) as error:
        raise DataError(f"{path}: no Matlab file with X and y ({error}).") from error
    if images.dtype != np.uint8 or images.shape != (32, 32, 3, len(labels)) or labels.min() < 1 or labels.max() > 10:
        raise DataError(
            f"{path}: X is {images.dtype} {images.shape} and y has {len(labels)} labels; not SVHN's cropped digits."
        )
    return np.ascontiguousarray(images.transpose(3, 2, 0, 1)), labels.astype(np.int64) % 10


class _Array:
    """Takes the place of numpy's array while a batch is unpickled, so that no foreign state reaches numpy's own."""

    def __init__(self, *_: object) -> None:
        self.values = np.empty(0, np.uint8)

    def __setstate__(self, state: tuple[object, tuple[int, ...], "_Kind", bool, bytes]) -> None:
        _, shape, kind, fortran, content = state
        if kind.name != b"u1" or fortran:
            raise ValueError("an array of something else than bytes")
        self.values = np.frombuffer(content, np.uint8).reshape(shape)


class _Kind:
    """Takes the place of numpy's dtype."""

    def __init__(self, name: bytes, *_: object) -> None:
        self.name = name

    def __setstate__(self, state: object) -> None:
        """Ignore byte order and alignment: bytes have neither."""


_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Kind,
}


class _ArraysOnly(pickle.Unpickler):
    """Rebuild plain containers, numbers, texts and arrays of bytes; whatever else a pickle names is refused."""

    def find_class(self, module: str, name: str) -> type:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"names {module}.{name}, which no official batch needs")
        return _ALLOWED[module, name]


def cifar_batch(content: bytes, name: str) -> tuple[Bytes, NDArray[np.int64]]:
    """Read a batch of CIFAR-10, a pickled dict of `data` `(n, 3072)` and `labels`; returns `(n, 3, 32, 32)`, `(n,)`."""
    try:
        batch = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
        images, labels = batch[b"data"].values, np.array(batch[b"labels"], dtype=np.int64)
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise DataError(f"{name}: no batch of CIFAR-10 ({error}).") from error
    if labels.ndim != 1 or images.shape != (len(labels), 3072):
        raise DataError(f"{name}: data of shape {images.shape} beside labels of shape {labels.shape}.")
    return images.reshape(-1, 3, 32, 32), labels


COLOURS = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"}
"""Pillow's modes of 8 bits per channel that it turns into RGB and grey."""

GROUND = "white"
"""On which transparent pixels are laid."""


def picture(
    content: bytes,
    name: str,
    size: int,
    *,
    crop: bool,
    channels: int = 3,
    jpeg: bool = False,
    upright: bool = False,
) -> Bytes:
    """Decode one picture and scale it to `size` x `size` by PIL's bicubic filter; returns `(channels, size, size)`.

    Transparent pixels are laid on white, and 16 bits per channel scaled to 8.

    Args:
        content: The encoded picture.
        name: Name of the picture, for messages.
        size: Pixels of a side of the result.
        crop: Whether only the centre square is kept; otherwise the aspect ratio is given up.
        channels: 3 for RGB, 1 for grey.
        jpeg: Whether the result is encoded as JPEG by PIL's defaults and decoded again.
        upright: Whether a picture is turned as its camera noted (EXIF); published sets are read as they are stored.

    Raises:
        DataError: If this is no picture, a damaged one, several, or one whose values have no known range.
    """
    try:
        with Image.open(io.BytesIO(content)) as opened:
            unambiguous(opened)
            image = opaque(ImageOps.exif_transpose(opened) if upright else opened)
            image = image.convert("RGB" if channels == 3 else "L")
    except MemoryError:
        raise
    except Exception as error:  # damage has many: Pillow's own, zlib's, those of struct
        raise DataError(f"{name}: no picture that can be read ({error}).") from error
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    box = (left, top, left + side, top + side) if crop else None
    image = image.resize((size, size), Image.Resampling.BICUBIC, box)
    if jpeg:
        encoded = io.BytesIO()
        image.save(encoded, "JPEG")
        image = Image.open(encoded)
    return np.asarray(image, np.uint8).reshape(size, size, channels).transpose(2, 0, 1)


def unambiguous(opened: ImageFile) -> None:
    """Refuse a picture whose pixels Pillow would not read as what they mean.

    Raises:
        AmbiguousError: Saying what they are.
    """
    if getattr(opened, "n_frames", 1) > 1 and opened.format != "MPO":  # whose first picture is the picture
        raise AmbiguousError("it holds several pictures; one is needed")
    packed = any(";" in str(tile.args) for tile in opened.tile)  # not 8 bits per value
    if packed and "transparency" in opened.info and opened.mode != "P":
        raise AmbiguousError("one of its colours is transparent, which takes 8 bits per channel")
    if opened.mode.startswith("I;16"):
        tags = opened.tag_v2 if isinstance(opened, TiffImageFile) else {}
        if tags.get(BITSPERSAMPLE, (16,)) != (16,) or tags.get(PHOTOMETRIC_INTERPRETATION, 1) != 1:
            raise AmbiguousError("its grey values are not 16 bits from black to white")
    elif opened.mode not in COLOURS and (opened.mode, opened.format) != ("I", "PPM"):  # which is 16 bits
        raise AmbiguousError(f"its pixels are {opened.mode}; 8 or 16 bits per channel of grey, RGB or CMYK are needed")


def opaque(image: Image.Image) -> Image.Image:
    """Return a picture of 8 bits per channel without transparency."""
    if image.mode.startswith("I"):
        return Image.fromarray(np.rint(np.asarray(image, np.float64) / 257).astype(np.uint8))
    if not image.has_transparency_data:
        return image
    image = image.convert("LA" if image.mode == "La" else "RGBA").convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, GROUND), image)
