"""Write `.dvc/plots/page.html`, with which `dvc plots` needs no network: `python -m tools.plots_page`.

DVC's own page loads Vega from a content delivery network each time it is opened. This one holds Vega itself, from the
packages that are pinned here, verified by their checksums. `.dvc/config` names it.
"""

import base64
import hashlib
import io
import tarfile
from pathlib import Path
from urllib.request import urlopen

REGISTRY = "https://registry.npmjs.org"
PACKAGES = {
    ("vega", "5.33.1"): "1fArfVDUqVbb5z8n+/nVQb+VNBzx8svY6CrsyTK4Ujm4yrd9I1auoKxBAPXLCavY1LcrbHUskQbGUP8gXOzyQw==",
    ("vega-lite", "5.23.0"): "l4J6+AWE3DIjvovEoHl2LdtCUkfm4zs8Xxx7INwZEAv+XVb6kR6vIN1gt3t2gN2gs/y4DYTs/RPoTeYAuEg6mA==",
    (
        "vega-embed",
        "6.29.0",
    ): "PmlshTLtLFLgWtF/b23T1OwX53AugJ9RZ3qPE2c01VFAbgt3/GSNI/etzA/GzdrkceXFma+FDHNXUppKuM0U6Q==",
}
"""SHA-512 of each package, in the form of package-lock.json; the versions are the last that read Vega-Lite 5."""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Plots</title>
{{refresh_tag}}
<style>
body {{ font-family: sans-serif; margin: 1.5em; display: flex; flex-wrap: wrap; gap: 2em; }}
table {{ border-spacing: 1em 0.3em; }}
</style>
{scripts}
</head>
<body>
{{plot_divs}}
</body>
</html>
"""


def main() -> None:
    packages = {package: fetch(*package, checksum) for package, checksum in PACKAGES.items()}
    licence = _text(packages["vega-lite", "5.23.0"], "LICENSE")  # that of all three; Vega's package leaves it out
    scripts = "\n".join([f"<!--\n{licence}-->", *(script(*package, opened) for package, opened in packages.items())])
    target = Path(".dvc/plots/page.html")
    target.write_text(PAGE.format(scripts=scripts), encoding="utf-8")
    print(f"{target}: {target.stat().st_size:,} bytes")


def fetch(name: str, version: str, checksum: str) -> tarfile.TarFile:
    """Return an opened package."""
    with urlopen(f"{REGISTRY}/{name}/-/{name}-{version}.tgz") as answer:
        packed = answer.read()
    if base64.b64encode(hashlib.sha512(packed).digest()).decode() != checksum:
        raise SystemExit(f"{name} {version}: the checksum is not the one that is expected")
    return tarfile.open(fileobj=io.BytesIO(packed))


def script(name: str, version: str, package: tarfile.TarFile) -> str:
    """Return a package's minified script as an element of HTML."""
    code = _text(package, f"build/{name}.min.js")
    if "</script" in code:
        raise SystemExit(f"{name} {version}: cannot stand inside of HTML")
    return f"<script>\n/* {name} {version} */\n{code}</script>"


def _text(package: tarfile.TarFile, file: str) -> str:
    content = package.extractfile(f"package/{file}")
    assert content is not None, file
    return content.read().decode()


if __name__ == "__main__":
    main()
