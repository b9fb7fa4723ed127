"""Profiles: named patches written into params.yaml, comments kept (`python -m pipeline.config.profile paper`)."""

import argparse
import copy
import io
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.config.params import expand, read
from pipeline.runtime.errors import UserError

PROFILES = Path(__file__).parent / "profiles"


def merge(target: MutableMapping[str, Any], patch: Mapping[str, Any]) -> None:
    """Apply a JSON merge patch (RFC 7386) in place: mappings merge, `null` removes a key, anything else replaces."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(target.get(key), MutableMapping):
            merge(target[key], value)
        else:
            target[key] = copy.deepcopy(value)  # an alias in the profile becomes two independent values


def patched(text: str, patch: Mapping[str, Any]) -> str:
    """Return the YAML document `text` with `patch` merged into it; comments and layout stay."""
    document = yaml()
    params = document.load(text)
    merge(params, patch)
    stream = io.StringIO()
    document.dump(params, stream)
    return stream.getvalue()


def yaml() -> YAML:
    """Return the round-trip reader and writer whose layout params.yaml keeps."""
    document = YAML()
    document.width = 4096
    document.preserve_quotes = True
    return document


def main() -> None:
    """Write the profile that the command line names into params.yaml, if the result can be run."""
    names = sorted(file.stem for file in PROFILES.glob("*.yaml"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=names, help="which profile")
    name = parser.parse_args().name
    path = Path("params.yaml")
    try:
        patch = yaml().load(PROFILES / f"{name}.yaml")  # round trip too: the patch's own layout goes into params.yaml
        text = patched(path.read_text(), patch)
        partial = path.with_name("params.yaml.partial")
        partial.write_text(text)
        try:
            expand(read(partial))
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except UserError as error:
        sys.exit(f"profile {name} does not fit params.yaml, which is left as it was.\n{error}")
    print(f"params.yaml now holds the profile {name}; `git diff params.yaml` shows it, `make repro` runs it.")


if __name__ == "__main__":
    main()
