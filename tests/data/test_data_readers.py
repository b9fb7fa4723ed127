import gzip
import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from scipy.io import savemat

from pipeline.data import readers
from pipeline.data.errors import DataError

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("pack", [gzip.compress, bytes], ids=["gzip", "plain"])
def test_idx(tmp_path, pack):
    values = RANDOM.integers(0, 256, (7, 5, 3), dtype=np.uint8)
    content = b"\0\0\x08\x03" + struct.pack(">3I", 7, 5, 3) + values.tobytes()
    path = tmp_path / "x"
    path.write_bytes(pack(content))
    assert np.array_equal(readers.idx(path), values)
    for damaged in (content[:-1], content + b"\0", content[:2], content[:3], content[:9], b"\0\0\x0d" + content[3:]):
        path.write_bytes(pack(damaged))
        with pytest.raises(DataError, match=str(path)):
            readers.idx(path)


def test_idx_of_a_truncated_gzip(tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x01" + bytes(4000))[:-20])
    with pytest.raises(DataError, match="damaged gzip"):
        readers.idx(path)


def test_amat_agrees_with_numpys_reader(tmp_path):
    path = tmp_path / "x.amat"
    bits = RANDOM.integers(0, 2, (9, 784), dtype=np.uint8)
    np.savetxt(path, bits, fmt="%d")
    assert np.array_equal(readers.amat(path), np.loadtxt(path, dtype=np.uint8))


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1], lambda t: t.replace(b"1", b"2", 1), lambda t: t.replace(b" ", b"\n", 1), lambda t: b""]
)
def test_amat_refuses_anything_else(tmp_path, change):
    path = tmp_path / "x.amat"
    path.write_bytes(change(b"0 1 1 0\n1 1 0 0\n"))
    with pytest.raises(DataError, match=str(path)):
        readers.amat(path, columns=4)


def test_svhn(tmp_path):
    images = RANDOM.integers(0, 256, (5, 3, 32, 32), dtype=np.uint8)
    path = tmp_path / "x.mat"
    savemat(path, {"X": images.transpose(2, 3, 1, 0), "y": np.array([[1], [10], [9], [2], [10]], np.uint8)})
    read, labels = readers.svhn(path)
    assert np.array_equal(read, images) and labels.tolist() == [1, 0, 9, 2, 0] and labels.dtype == np.int64


@pytest.mark.parametrize("content", [{"X": np.zeros((32, 32, 3, 2), np.uint8)}, {"X": np.zeros(3), "y": np.ones(1)}])
def test_svhn_refuses_other_matlab_files(tmp_path, content):
    path = tmp_path / "x.mat"
    savemat(path, content)
    with pytest.raises(DataError, match=str(path)):
        readers.svhn(path)


def test_svhn_refuses_a_truncated_file(tmp_path):
    path = tmp_path / "x.mat"
    savemat(
        path,
        {"X": RANDOM.integers(0, 256, (32, 32, 3, 50), dtype=np.uint8), "y": np.ones((50, 1))},
        do_compression=True,
    )
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match=str(path)):
        readers.svhn(path)


def test_cifar_batch(cifar_pickle):
    images = RANDOM.integers(0, 256, (4, 3, 32, 32), dtype=np.uint8)
    read, labels = readers.cifar_batch(cifar_pickle(images, [3, 0, 9, 1]), "x")
    assert np.array_equal(read, images) and labels.tolist() == [3, 0, 9, 1]


@pytest.mark.parametrize(
    "module", [b"os\nsystem\n", b"builtins\neval\n", b"numpy\nload\n", b"numpy.core.multiarray\nfromfile\n"]
)
def test_a_malicious_batch_is_refused_before_anything_runs(cifar_pickle, tmp_path, module):
    batch = cifar_pickle(np.zeros((1, 3072), np.uint8), [0], reconstruct=module)
    with pytest.raises(DataError, match="which no official batch needs"):
        readers.cifar_batch(batch, "x")
    evil = b"c" + module + b"(U" + bytes([len(f"touch {tmp_path}/y")]) + f"touch {tmp_path}/y".encode() + b"tR."
    with pytest.raises(DataError, match="which no official batch needs"):
        readers.cifar_batch(evil, "x")
    assert not (tmp_path / "y").exists()


def test_cifar_refuses_a_truncated_or_other_batch(cifar_pickle):
    batch = cifar_pickle(np.zeros((2, 3072), np.uint8), [0, 1])
    words, objects = (batch.replace(b"U\x02u1", kind) for kind in (b"U\x02u2", b"U\x01O"))
    for other in (batch[:-50], b"", b"\x80\x02}.", words, objects, cifar_pickle(np.zeros((2, 3072), np.uint8), [0])):
        with pytest.raises(DataError, match="x: "):
            readers.cifar_batch(other, "x")


def encoded(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def stripes(width: int, height: int) -> Image.Image:
    """Red at the left third, green in the middle, blue at the right."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, np.arange(width), np.arange(width) * 3 // width] = 200
    return Image.fromarray(pixels)


def test_a_cropped_picture_is_its_centre():
    read = readers.picture(encoded(stripes(96, 32), "PNG"), "x", 32, crop=True)
    assert read.shape == (3, 32, 32) and (read[1] == 200).all() and not read[[0, 2]].any()


def test_a_squeezed_picture_is_all_of_it():
    read = readers.picture(encoded(stripes(96, 32), "PNG"), "x", 12, crop=False)
    assert [int(colour) for colour in read.argmax(0)[6, [1, 6, 10]]] == [0, 1, 2]
    left = np.asarray(stripes(96, 32).resize((12, 12), Image.Resampling.BICUBIC)).transpose(2, 0, 1)
    assert np.array_equal(read, left)


def test_a_picture_stored_as_jpeg_once_more():
    noisy = Image.fromarray(RANDOM.integers(0, 256, (40, 40, 3), dtype=np.uint8))
    small = noisy.resize((32, 32), Image.Resampling.BICUBIC)
    again = np.asarray(Image.open(io.BytesIO(encoded(small, "JPEG")))).transpose(2, 0, 1)
    read = readers.picture(encoded(noisy, "PNG"), "x", 32, crop=False, jpeg=True)
    assert np.array_equal(read, again) and not np.array_equal(again, np.asarray(small).transpose(2, 0, 1))


BROKEN_PNG = encoded(stripes(30, 30), "PNG").replace(b"IDAT", b"\x8fDAT")


def test_grey_pictures():
    grey = Image.fromarray(np.full((20, 20), 77, np.uint8))
    assert (readers.picture(encoded(grey, "PNG"), "x", 8, crop=True) == 77).all()
    assert readers.picture(encoded(grey, "PNG"), "x", 8, crop=True, channels=1).shape == (1, 8, 8)


@pytest.mark.parametrize(
    "content",
    [b"", b"text", encoded(stripes(300, 300), "JPEG")[:2000], BROKEN_PNG],
    ids=["empty", "text", "truncated", "broken"],
)
def test_what_is_no_picture_is_named(content):
    with pytest.raises(DataError, match=r"bird\.jpg: no picture"):
        readers.picture(content, "bird.jpg", 32, crop=True)


def flat(mode: str, grey: int, alpha: int) -> Image.Image:
    """A picture of one grey value in some mode of Pillow's."""
    rows = np.full((12, 12), grey, np.uint8)
    whole = Image.fromarray(rows)
    match mode:
        case "I;16" | "I;16B" | "I;16L":
            kind = "<u2" if mode == "I;16L" else ">u2" if mode == "I;16B" else "u2"
            return Image.frombytes(mode, (12, 12), (rows.astype(kind) * 257).astype(kind).tobytes())
        case "I":
            return Image.fromarray(rows.astype(np.int32) * 257)
        case "F":
            return Image.fromarray(rows / np.float32(255))
        case "CMYK":
            return Image.merge("CMYK", [Image.new("L", (12, 12))] * 3 + [ImageOps.invert(whole)])
        case "LA" | "RGBA":
            return Image.merge(mode, [whole] * (len(mode) - 1) + [Image.new("L", (12, 12), alpha)])
        case "PA":
            picture = Image.new("PA", (12, 12), (0, alpha))
            picture.putpalette([grey] * 3)
            return picture
        case _:
            return whole.convert(mode)


DEEP = ("I", "F", "I;16", "I;16B", "I;16L")
FORMATS = ("PNG", "TIFF", "PPM", "TGA", "JPEG2000", "BMP")


@settings(deadline=None, max_examples=300)
@given(
    mode=st.sampled_from(["1", "L", "P", "RGB", "CMYK", "YCbCr", "LAB", "HSV", "LA", "RGBA", "PA", *DEEP]),
    kind=st.sampled_from(FORMATS),
    grey=st.integers(0, 255),
    alpha=st.integers(0, 255),
    channels=st.sampled_from([1, 3]),
)
def test_every_mode_is_read_as_what_it_shows_or_refused(mode, kind, grey, alpha, channels):
    grey = 255 * (grey > 127) if mode == "1" else grey
    transparent = mode in ("LA", "RGBA", "PA") and kind not in ("PPM", "BMP")  # which store no alpha
    try:
        content = encoded(flat(mode, grey, alpha), kind)
    except (OSError, KeyError, ValueError):
        return  # no such files
    shown = (grey * alpha + 255 * (255 - alpha)) / 255 if transparent else grey
    try:
        read = readers.picture(content, "x", 8, crop=True, channels=channels)
    except DataError as error:
        assert mode in ("I", "F", "LAB", "HSV") and "are needed" in str(error)
    else:
        assert read.shape == (channels, 8, 8) and abs(read - shown).max() <= 2


@pytest.mark.parametrize("sixteen", [False, True])
def test_a_ramp_stays_a_ramp(sixteen):
    ramp = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (64, 1))
    content = encoded(Image.fromarray(ramp.astype(np.uint16) * 257 if sixteen else ramp), "PNG")
    read = readers.picture(content, "x", 64, crop=True)
    assert np.array_equal(read, np.stack([ramp] * 3))


@pytest.mark.parametrize(
    ("image", "kind", "options", "message"),
    [
        (Image.new("L", (9, 9)), "GIF", {"save_all": True, "append_images": [Image.new("L", (9, 9), 9)]}, "several"),
        (Image.fromarray(np.full((9, 9), 300, np.uint16)), "PNG", {"transparency": 300}, "one of its colours"),
        (Image.fromarray(np.full((9, 9), 300, np.uint16)), "TIFF", {"tiffinfo": {262: 0}}, "from black to white"),
        (Image.new("F", (9, 9)), "TIFF", {}, "its pixels are F; 8 or 16 bits"),
    ],
)  # fmt: skip
def test_pictures_that_would_be_read_wrongly_are_refused(image, kind, options, message):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    with pytest.raises(DataError, match=message):
        readers.picture(buffer.getvalue(), "x", 8, crop=True)


def test_one_transparent_colour():
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 200, 0, 0])
    image.paste(0, (0, 0, 4, 8))
    for kind in ("PNG", "GIF"):
        buffer = io.BytesIO()
        image.save(buffer, kind, transparency=0)
        read = readers.picture(buffer.getvalue(), "x", 8, crop=True)
        assert (read[:, :, :4] == 255).all() and (read[0, :, 4:] == 200).all() and not read[1:, :, 4:].any()


def test_a_cameras_note_turns_own_pictures_alone():
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    buffer = io.BytesIO()
    stripes(30, 30).save(buffer, "PNG", exif=exif)
    stored, turned = (readers.picture(buffer.getvalue(), "x", 30, crop=True, upright=up) for up in (False, True))
    assert np.array_equal(turned, stored.transpose(0, 2, 1)) and not np.array_equal(turned, stored)
