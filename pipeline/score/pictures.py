"""Somebody's samples: a folder of pictures or an array, turned into the images that an evaluator takes.

Nothing is scaled, cropped or left out unless it is asked for: how pictures are resized changes a Fréchet distance by
more than many a model does.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pipeline.data import checksum, readers
from pipeline.data.errors import DataError
from pipeline.features.evaluator import Evaluator
from pipeline.features.settings import EvaluatorDescription

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}
NAMES = ("samples", "images")
"""Names under which an array is searched for in an .npz file of several."""

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Wanted:
    """The images that an evaluator takes.

    Args:
        name: Name of the evaluator.
        channels: 1 or 3.
        size: Pixels of a side; `None` where the evaluator resizes by its own rule.
    """

    name: str
    channels: int
    size: int | None

    @classmethod
    def of(cls, name: str, description: EvaluatorDescription) -> "Wanted":
        """Return what the evaluator called `name` takes."""
        layout = description.layout
        return cls(name, layout.channels, layout.size) if layout else cls(name, 3, None)

    def words(self) -> str:
        size = f"{self.size} x {self.size}" if self.size else "any size, all of them alike,"
        return f"{size} with {self.channels} channel{'s' * (self.channels > 1)}"


def read(place: Path, wanted: Wanted, resize: bool = False) -> Bytes:
    """Return images, uint8 `(n, c, h, w)`.

    Args:
        place: A folder of pictures, in folders of their own or not; an .npy or .npz file.
        wanted: What the evaluator takes.
        resize: Whether pictures of another size are cut to their centre square and scaled by PIL's bicubic filter.

    Raises:
        DataError: If that is not what the evaluator takes: says how many are wrong, in which way, and one of them.
    """
    if place.is_dir():
        return _folder(place, wanted, resize)
    if not place.is_file():
        raise DataError(f"{place}: no such file or folder.")
    return _array(place, wanted)


def _folder(place: Path, wanted: Wanted, resize: bool) -> Bytes:
    files = [place / file for file in checksum.listing(place) if file.suffix.lower() in SUFFIXES]
    if not files:
        raise DataError(f"{place}: no pictures; files ending in {', '.join(sorted(SUFFIXES))} are looked for.")
    read, wrong = [], dict[str, list[Path]]()
    for file in files:
        try:
            read.append(_picture(file, wanted, resize))
        except DataError as error:
            wrong.setdefault(str(error), []).append(file)
    sizes = Counter(image.shape[1:] for image in read)
    if len(sizes) > 1:
        found = ", ".join(f"{count} of {width} x {height}" for (height, width), count in sizes.most_common(4))
        wrong[f"of different sizes: {found}"] = files
    if wrong:
        lines = [f"  {len(those)} {what}, such as {those[0].relative_to(place)}" for what, those in wrong.items()]
        head = f"{place}: of {len(files)} pictures some cannot be scored; {wanted.name} takes {wanted.words()}:"
        hint = [] if resize or not wanted.size else ["  --resize cuts out the centre square and scales it."]
        raise DataError("\n".join([head, *lines, *hint]))
    return np.stack(read)


def _picture(file: Path, wanted: Wanted, resize: bool) -> Bytes:
    """Return one picture, uint8 `(c, h, w)`.

    Raises:
        DataError: Naming what is wrong with it, in words that are the same for all pictures with that fault.
    """
    try:
        with Image.open(file) as opened:
            readers.unambiguous(opened)
            if opened.has_transparency_data and opened.convert("RGBA").getchannel("A").getextrema()[0] != 255:
                raise DataError("are transparent in places")
            pixels = np.asarray(readers.opaque(opened).convert("RGB"), np.uint8)
    except readers.AmbiguousError as error:
        raise DataError(f"cannot be read: {error}") from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise DataError("cannot be read") from None
    if wanted.channels == 1 and (pixels != pixels[..., :1]).any():
        raise DataError(f"have colours, and are {pixels.shape[1]} x {pixels.shape[0]}")
    if wanted.size and pixels.shape[:2] != (wanted.size, wanted.size):
        if not resize:
            raise DataError(f"are {pixels.shape[1]} x {pixels.shape[0]}")
        return readers.picture(file.read_bytes(), str(file), wanted.size, crop=True, channels=wanted.channels)
    return pixels[..., : wanted.channels].transpose(2, 0, 1)


def _array(place: Path, wanted: Wanted) -> Bytes:
    try:
        found = np.load(place, allow_pickle=False)
        arrays = dict(found) if isinstance(found, np.lib.npyio.NpzFile) else {place.name: found}
    except (ValueError, OSError, EOFError, BadZipFile) as error:
        raise DataError(f"{place}: no array that can be read without pickle ({error}).") from None
    name = next(iter(arrays)) if len(arrays) == 1 else next((name for name in NAMES if name in arrays), None)
    if name is None:
        raise DataError(f"{place}: arrays {', '.join(arrays) or 'none'}; one called {' or '.join(NAMES)} is needed.")
    images = arrays[name]
    if images.ndim == 3:
        images = images[:, None]
    if images.ndim == 4 and images.shape[1] != wanted.channels and images.shape[3] == wanted.channels:
        images = images.transpose(0, 3, 1, 2)
    side = wanted.size or images.shape[-1]
    if images.ndim != 4 or images.shape[1:] != (wanted.channels, side, side):
        raise DataError(f"{place}: {name} has the shape {images.shape}; {wanted.name} takes {wanted.words()}.")
    if images.dtype != np.uint8:
        raise DataError(
            f"{place}: {name} is {images.dtype} from {images.min():.3g} to {images.max():.3g}; bytes (uint8) from 0 to"
            " 255 are needed, rounded as a picture file would round them."
        )
    return np.ascontiguousarray(images)


def check(images: Bytes, evaluator: Evaluator) -> list[str]:
    """Return what a reader of the scores should know of the images, in sentences.

    Raises:
        DataError: If there are too few images for the protocol, or black and white are not 0 and 255.
    """
    count, scoring = len(images), evaluator.scoring
    least = max(scoring.kid_subset_size, scoring.splits, scoring.neighbours + 1)
    if count < least:
        raise DataError(f"{count} images; the protocol of this evaluator needs at least {least}.")
    if images.max() <= 1:
        raise DataError("no value is larger than 1; black is 0 and white 255.")
    said = []
    if copies := count - len(np.unique(images.reshape(count, -1), axis=0)):
        said.append(f"{copies} of {count} images are exact copies of others.")
    if constant := int((images.reshape(count, -1).min(1) == images.reshape(count, -1).max(1)).sum()):
        said.append(f"{constant} of {count} images are of a single colour.")
    dimensions = evaluator.features.shape[1]
    if count <= dimensions:
        said.append(f"{count} images do not determine the covariance of {dimensions} features.")
    return said
