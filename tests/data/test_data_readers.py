import gzip
import io
import struct

import numpy as np
import pytest
from PIL import Image
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
