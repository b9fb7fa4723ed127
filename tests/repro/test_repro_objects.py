import hashlib
import json

import pytest
import yaml

from pipeline.repro import objects

FILES = {"a.bin": b"a" * 100, "deep/b.bin": b"b" * 50}
DAMAGES = {
    "emptied": lambda content: b"",
    "cut": lambda content: content[:-1],
    "longer": lambda content: content + b"x",
    "overwritten": lambda content: b"z" * len(content),  # of the same size
}


class Kept:
    """A checkout whose dvc.lock has one file and one folder, both in the cache and neither in the checkout."""

    def __init__(self, root) -> None:
        self.root, self.cache = root, root / "cache"
        listed = [{"md5": self.put(content), "relpath": name} for name, content in FILES.items()]
        self.listing = self.put(json.dumps(listed).encode(), ".dir")
        self.single = self.put(b"single")
        outputs = [
            {"path": "models/one", "md5": self.listing, "size": 150, "nfiles": 2},
            {"path": "single.txt", "md5": self.single, "size": 6},
            {"path": "summary.json", "md5": "0" * 32, "size": 3},  # which git keeps
        ]
        stages = {"train": {"cmd": "train", "outs": outputs}}
        (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))

    def put(self, content: bytes, kind: str = "") -> str:
        md5 = hashlib.md5(content).hexdigest() + kind
        place = objects.place(self.cache, md5)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod(0o444)
        return md5

    def of(self, content: bytes):
        return objects.place(self.cache, hashlib.md5(content).hexdigest())

    def objects(self):
        return {file for file in self.cache.rglob("*") if file.is_file()}

    def drop(self):
        return objects.drop_damaged(self.cache, self.root)


@pytest.fixture
def kept(tmp_path):
    return Kept(tmp_path)


def test_what_is_whole_or_absent_is_left_alone(kept):
    everything = kept.objects()
    assert kept.drop() == [] and kept.objects() == everything
    (kept.root / "dvc.lock").unlink()
    assert kept.drop() == []


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("content", [*FILES.values(), b"single"])
def test_a_damaged_object_is_removed_with_what_lists_it_and_nothing_else(kept, content, damage):
    file, everything = kept.of(content), kept.objects()
    file.chmod(0o644)
    file.write_bytes(DAMAGES[damage](content))
    (said,) = kept.drop()
    listing = set() if content == b"single" else {objects.place(kept.cache, kept.listing)}
    assert kept.objects() == everything - {file} - listing
    assert said == f"DVC's copy of {'models/one' if listing else 'single.txt'} was damaged: removed"
    assert kept.drop() == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_listing_is_removed(kept, damage):
    file = objects.place(kept.cache, kept.listing)
    file.chmod(0o644)
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    assert len(kept.drop()) == 1 and not file.exists() and kept.of(FILES["a.bin"]).exists()


def test_a_listing_without_one_of_its_files_is_removed(kept):
    kept.of(FILES["a.bin"]).unlink()
    assert len(kept.drop()) == 1 and not objects.place(kept.cache, kept.listing).exists()


def test_bytes_are_compared_only_of_what_is_about_to_be_copied_or_has_another_size(kept):
    (kept.root / "single.txt").write_bytes(b"single")
    file = kept.of(b"single")
    file.chmod(0o644)
    file.write_bytes(b"elgnis")
    assert kept.drop() == []
    assert objects.damaged(kept.cache, objects.recorded(kept.root / "dvc.lock")[1], thoroughly=True)
    file.write_bytes(b"sing")
    assert len(kept.drop()) == 1


@pytest.mark.parametrize("text", ["", "\0\1", "stages: 3", "schema: '2.0'", "a: b: c"])
def test_a_record_that_says_nothing_names_no_output(tmp_path, text):
    (tmp_path / "dvc.lock").write_text(text)
    assert objects.recorded(tmp_path / "dvc.lock") == []


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["cut", "overwritten"])
def test_the_runner_makes_anew_what_dvc_would_bring_back_damaged(project, damage):
    project.yaml(0.0)
    project.do(*project.runner("--jobs", "1"))
    output = project.folder / "score-a.txt"
    content, (recorded,) = output.read_bytes(), project.lock()["stages"]["score@a"]["outs"]
    file = objects.place(project.folder / ".dvc/cache/files/md5", recorded["md5"])
    file.chmod(0o644)
    file.write_bytes(DAMAGES[damage](content))
    file.chmod(0o444)  # as DVC leaves it
    output.unlink()
    said = project.do(*project.runner("--jobs", "1")).stdout
    assert "repaired: DVC's copy of score-a.txt was damaged: removed" in said
    assert output.read_bytes() == file.read_bytes() == content
