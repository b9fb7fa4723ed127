"""What the runner's workers change in DVC."""

from pathlib import Path

from dvc.utils.serialize import _yaml

LOCK = Path(__file__).parents[2] / "dvc.lock"


def test_dvc_lock_is_written_byte_for_byte_by_either_reader() -> None:
    text = LOCK.read_text()
    for read in (_yaml.parse_yaml, _yaml.parse_yaml_for_update):
        assert _yaml.dumps_yaml(read(text, LOCK)) == text
