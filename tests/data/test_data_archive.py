import io
import tarfile
from pathlib import Path

import pytest

from pipeline.data.archive import members
from pipeline.data.errors import DataError


def packed(path: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info, content in entries:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_only_what_is_wanted_comes_out(tmp_path):
    path = packed(
        tmp_path / "a.tgz",
        (entry("set", tarfile.DIRTYPE), b""),
        (entry("./set/one"), b"1"),
        (entry("set/two"), b"22"),
        (entry("set/three"), b"333"),
    )
    assert dict(members(path, lambda name: name != "set/three")) == {"set/one": b"1", "set/two": b"22"}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["../x", "set/../../x", "/x"])
def test_a_path_that_leads_out_is_refused(tmp_path, name):
    path = packed(tmp_path / "a.tgz", (entry(name), b"evil"))
    with pytest.raises(DataError, match="leads out of the archive"):
        dict(members(path, lambda name: True))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    path = packed(tmp_path / "a.tgz", (entry("set/x", kind, "/etc/passwd"), b""))
    with pytest.raises(DataError, match="a link or a device"):
        dict(members(path, lambda name: True))


def test_a_damaged_archive_is_named(tmp_path):
    path = packed(tmp_path / "a.tgz", (entry("x"), bytes(range(256)) * 400))
    content = path.read_bytes()
    for damaged in (content[:-300], content[:11], b"no archive at all", b""):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"a\.tgz: cannot be read as an archive"):
            dict(members(path, lambda name: True))
