import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.data import download
from pipeline.data.download import fetch
from pipeline.data.errors import DataError
from pipeline.data.registry import File

CONTENT = random.Random(0).randbytes(3_000_000)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def file(server, md5) -> File:
    server.files["/official/a.bin"] = CONTENT
    return File("a.bin", md5(CONTENT), f"{server.url}/official/a.bin")


def downloads(checkout: Path) -> Path:
    return checkout / ".scratch" / "downloads" / "set"


def left(checkout: Path) -> list[str]:
    return sorted(path.name for path in downloads(checkout).iterdir() if path.suffix != ".lock")


def test_download_then_reuse(server, checkout, file):
    assert fetch("set", file) == [downloads(checkout) / "a.bin"]
    assert (downloads(checkout) / "a.bin").read_bytes() == CONTENT
    assert left(checkout) == ["a.bin"]
    fetch("set", file)
    assert len(server.asked) == 1


def test_a_cut_connection_is_resumed(server, file):
    server.cuts = [1_000_000, 1_000_000]
    assert fetch("set", file)[0].read_bytes() == CONTENT
    starts = [int(wanted[6:-1]) if wanted else 0 for _, wanted in server.asked]
    assert len(starts) == 3 and starts[0] == 0 and 500_000 < starts[1] < starts[2]


def test_a_truncated_transfer_keeps_what_arrived_and_the_next_run_finishes(server, checkout, file):
    server.cuts = [600_000] * download.TRIES
    with pytest.raises(DataError, match=r"a\.bin of data set set cannot be downloaded"):
        fetch("set", file)
    assert left(checkout) == ["a.bin.partial"]
    arrived = (downloads(checkout) / "a.bin.partial").stat().st_size
    assert CONTENT.startswith((downloads(checkout) / "a.bin.partial").read_bytes()) and arrived > 1_000_000
    assert fetch("set", file)[0].read_bytes() == CONTENT
    assert server.asked[-1] == ("/official/a.bin", f"bytes={arrived}-")


def test_a_server_that_falls_silent_is_asked_again(server, file, monkeypatch):
    event = server.hold = threading.Event()
    monkeypatch.setattr(download, "TIMEOUT", (5.0, 0.2))
    assert fetch("set", file)[0].read_bytes() == CONTENT
    event.set()
    assert len(server.asked) == 2 and int(server.asked[1][1][6:-1]) > 2_000_000


def test_a_server_without_ranges_is_read_from_the_beginning(server, checkout, file):
    server.ranges = False
    downloads(checkout).mkdir(parents=True)
    (downloads(checkout) / "a.bin.partial").write_bytes(CONTENT[:100])
    assert fetch("set", file)[0].read_bytes() == CONTENT


@pytest.mark.parametrize(
    "beginning", [b"something else", CONTENT, CONTENT + b"and more"], ids=["other", "whole", "longer"]
)
def test_any_partial_file_ends_well(server, checkout, file, beginning):
    downloads(checkout).mkdir(parents=True)
    (downloads(checkout) / "a.bin.partial").write_bytes(beginning)
    assert fetch("set", file)[0].read_bytes() == CONTENT
    assert left(checkout) == ["a.bin"]


def test_a_wrong_checksum_leaves_nothing(server, checkout, file):
    server.files["/official/a.bin"] = CONTENT[:-1] + b"x"
    with pytest.raises(
        DataError, match=r"md5 is [0-9a-f]{32}, that of the official file is [0-9a-f]{32} \(3,000,000 bytes\)"
    ):
        fetch("set", file)
    assert left(checkout) == []


def test_an_unreachable_address_says_where_the_file_can_be_put(checkout, md5):
    file = File("a.bin", md5(CONTENT), "http://127.0.0.1:9/a.bin")
    with pytest.raises(DataError) as caught:
        fetch("set", file)
    for part in ("http://127.0.0.1:9/a.bin", "refused", str(downloads(checkout) / "a.bin"), "set/a.bin", "DATA_MIRROR"):
        assert part in str(caught.value)
    downloads(checkout).mkdir(parents=True, exist_ok=True)
    (downloads(checkout) / "a.bin").write_bytes(CONTENT)
    assert fetch("set", file) == [downloads(checkout) / "a.bin"]


def test_not_found_is_not_tried_again(server, md5):
    with pytest.raises(DataError, match="HTTP 404 Not Found"):
        fetch("set", File("b.bin", md5(b""), f"{server.url}/b.bin"))
    assert len(server.asked) == 1


def test_a_mirror_folder_is_read_in_place(server, checkout, file, tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_MIRROR", str(tmp_path))
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.bin").write_bytes(CONTENT)
    assert fetch("set", file) == [tmp_path / "set" / "a.bin"]
    assert not server.asked and not downloads(checkout).exists()


def test_a_mirror_folder_without_the_file_leads_to_the_official_address(server, file, tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_MIRROR", str(tmp_path))
    assert fetch("set", file)[0].read_bytes() == CONTENT
    assert [path for path, _ in server.asked] == ["/official/a.bin"]


def test_a_wrong_file_in_the_mirror_is_named_and_left_alone(file, tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_MIRROR", str(tmp_path))
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.bin").write_bytes(CONTENT[:1000])
    with pytest.raises(DataError, match=r"set/a\.bin: md5 is .* \(1,000 bytes\)\. Delete it"):
        fetch("set", file)
    assert (tmp_path / "set" / "a.bin").stat().st_size == 1000


@pytest.mark.parametrize("mirror", ["relative/folder", "/no/such/folder"])
def test_a_mirror_that_is_no_folder_is_refused(file, monkeypatch, mirror):
    monkeypatch.setenv("DATA_MIRROR", mirror)
    with pytest.raises(DataError, match=f"DATA_MIRROR={mirror}: neither"):
        fetch("set", file)


def test_a_mirror_url_is_asked_before_the_official_address(server, file, monkeypatch):
    monkeypatch.setenv("DATA_MIRROR", f"{server.url}/mirror/")
    server.files["/mirror/set/a.bin"] = CONTENT
    assert fetch("set", file)[0].read_bytes() == CONTENT
    assert [path for path, _ in server.asked] == ["/mirror/set/a.bin"]


def test_a_mirror_url_without_the_file_leads_to_the_official_address(server, file, monkeypatch):
    monkeypatch.setenv("DATA_MIRROR", f"{server.url}/mirror")
    assert fetch("set", file)[0].read_bytes() == CONTENT
    assert [path for path, _ in server.asked] == ["/mirror/set/a.bin", "/official/a.bin"]


@pytest.fixture
def packed(server, md5) -> File:
    members = tuple(File(f"inside/{name}", md5(name.encode())) for name in ("one", "two"))
    return File("a.tar", md5(CONTENT), f"{server.url}/a.tar", members)


def test_extracted_members_stand_for_their_archive(server, packed, tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_MIRROR", str(tmp_path))
    (tmp_path / "set" / "inside").mkdir(parents=True)
    paths = [tmp_path / "set" / "inside" / name for name in ("one", "two")]
    for path in paths:
        path.write_text(path.name)
    assert fetch("set", packed) == paths
    paths[1].write_text("changed")
    with pytest.raises(DataError, match="inside/two: md5 is"):
        fetch("set", packed)
    paths[1].unlink()
    server.files["/a.tar"] = CONTENT
    assert [path.name for path in fetch("set", packed)] == ["a.tar"]


def test_extracted_members_of_a_mirror_url(server, checkout, packed, monkeypatch):
    monkeypatch.setenv("DATA_MIRROR", server.url)
    server.files |= {f"/set/inside/{name}": name.encode() for name in ("one", "two")}
    assert fetch("set", packed) == [downloads(checkout) / "inside" / name for name in ("one", "two")]


@pytest.mark.slow
def test_kill_9_in_mid_download_and_another_run(server, checkout, file):
    event = server.hold = threading.Event()
    script = (
        f"from pipeline.data.download import fetch\nfrom pipeline.data.registry import File\nfetch('set', {file!r})"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.DEVNULL) as child:
        partial = downloads(checkout) / "a.bin.partial"
        deadline = time.monotonic() + 30
        while not (partial.exists() and partial.stat().st_size > 2_000_000) and time.monotonic() < deadline:
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
    event.set()
    assert child.returncode == -signal.SIGKILL
    assert left(checkout) == ["a.bin.partial"]
    arrived = partial.stat().st_size
    assert fetch("set", file)[0].read_bytes() == CONTENT
    assert server.asked[-1][1] == f"bytes={arrived}-" and arrived > 2_000_000


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk(server, checkout, file):
    downloads(checkout).mkdir(parents=True)
    (downloads(checkout) / "a.bin.partial").symlink_to("/dev/full")
    with pytest.raises(DataError, match=r"a\.bin cannot be stored: No space left on device"):
        fetch("set", file)
    (downloads(checkout) / "a.bin.partial").unlink()
    assert fetch("set", file)[0].read_bytes() == CONTENT


@pytest.fixture
def powerless() -> Iterator[Path]:
    """A folder that cannot be written to, also where the tests are run by root."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        yield Path(folder)
        os.seteuid(user)


def test_a_read_only_target(powerless, file, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(powerless))
    with pytest.raises(DataError, match=r"a\.bin cannot be stored: Permission denied"):
        fetch("set", file)
