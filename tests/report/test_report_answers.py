"""What stands before and behind the chapters: findings, scope, answers, glossary and references."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.report import reported
from pipeline.report.index import contents
from pipeline.report.render import TEMPLATES, references, render
from pipeline.runtime import history

# written from the reports' assignments, not from the template
ASKED = (
    "GAN unstable", "beta is a VAE an autoencoder", "larger latents", "estimate tells of progress", "planar layer do",
    "determinant lemma", "flow posterior", "VAE and GAN optimise", "disentanglement", "pixel and latent interpolation",
    "stop-gradient",
)  # fmt: skip
LONGEST = 180  # words of an answer, without the line of evidence


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the report of a checkout in which nothing has run."""
    root = tmp_path_factory.mktemp("empty")
    render(root, root / "out", allow_missing=True)
    return (root / "out/report.md").read_text()


def answers(text: str) -> dict[str, str]:
    """Return the answers by their questions."""
    part = text[text.index("\n## Answers") : text.index("\n## Claims")]
    return dict(found.split("\n", 1) for found in part.split("\n### ")[1:])


def words(text: str) -> list[str]:
    """Return the words of Markdown as a reader sees it."""
    visible = re.sub(r"<[^>]+>", "", re.sub(r"\]\([^)]*\)", "]", text))
    return [word for word in visible.split() if re.search(r"\w", word)]


def test_each_question_is_answered_briefly_and_points_to_claims_that_exist(empty: str) -> None:
    found = answers(empty)
    assert [asked for asked in ASKED if not any(asked in question for question in found)] == []
    assert len(found) == len(ASKED)
    claims = reported.read().claims
    for question, answer in found.items():
        text, _, evidence = answer.partition("*Evidence:*")
        assert len(words(text)) <= LONGEST, (question, len(words(text)))
        named = re.findall(r"\bC\d\d\b", evidence)
        assert named and set(named) <= set(claims), question
        assert evidence.count("not run") == len(named) - len({"C63", "C64"} & set(named))  # those need no run


def test_formulas_close_what_they_open(empty: str) -> None:
    part = empty[empty.index("\n## Answers") : empty.index("\n## Claims")]
    for tag in ("sub", "sup"):
        assert part.count(f"<{tag}>") == part.count(f"</{tag}>")
    for line in (line for line in part.splitlines() if line.startswith("> ")):
        plain = re.sub(r"<[^>]+>", "", line)
        assert plain.count("(") == plain.count(")") and plain.count("[") == plain.count("]"), line
    assert "$" not in part and "\\" not in part  # the page of the report renders no TeX


def test_without_runs_nothing_is_found(empty: str) -> None:
    part = empty[empty.index("\n## Findings") : empty.index("\n## Scope")]
    assert "show none of its main findings yet" in part and "**" not in part and "![" not in part


def test_papers_are_cited_by_keys_that_exist_and_every_paper_is_cited() -> None:
    papers = references()
    cited = {
        key
        for path in TEMPLATES.rglob("*.j2")
        for key in re.findall(r'"(\w+)" \| cite', path.read_text(encoding="utf-8"))
    }
    assert cited == set(papers)
    links = [paper["link"] for paper in papers.values()]
    assert len(set(links)) == len(links)
    assert all(
        re.match(r"https://(arxiv\.org/abs/\d{4}\.\d{4,5}|doi\.org/10\.|www\.jmlr\.org/)", link) for link in links
    )


def test_the_contents_name_every_part(empty: str) -> None:
    line = next(line for line in empty.splitlines() if line.startswith("Contents: "))
    assert re.findall(r"\[([^]]+)\]\(#", line) == [heading for heading, _ in contents(empty)]


def test_the_glossary_has_ten_terms(empty: str) -> None:
    part = empty[empty.index("\n## Glossary") : empty.index("\n## Appendix")]
    assert part.count("\n- **") == 10


@pytest.mark.slow
def test_scope_names_what_is_not_the_reports(project: Callable[..., Path], tmp_path: Path) -> None:
    render(project(batch=32), tmp_path / "out", allow_missing=False)
    text = (tmp_path / "out/report.md").read_text()
    row = next(
        line for line in text.splitlines() if line.startswith("| A, Bernoulli VAE on binarised MNIST | 000, 001")
    )
    assert "binarized_mnist → binarized_digits28" in row
    assert "| network mlp, hidden 300, latent 100 | 20 epochs, 64 → 32 images a batch | 2 of 2 | 2 |" in row


@pytest.mark.slow
def test_the_repeated_curve_is_a_finding_on_the_reports_data_and_is_shown_once(
    project: Callable[..., Path], tmp_path: Path
) -> None:
    root = project(data="binarized_mnist", images=10000)
    path, row = root / "models/vae/bernoulli/history.csv", reported.read().row("001-vae-negative-elbo")
    curve = dict(enumerate(row.value, 1)) if isinstance(row.value, list) else {}
    rows = [{**entry, "valid_elbo": -float(curve[int(entry["epoch"])])} for entry in history.read(path)]
    history.write(path, rows)
    render(root, tmp_path / "out", allow_missing=False)
    text = (tmp_path / "out/report.md").read_text()
    findings = text[text.index("\n## Findings") : text.index("\n## Scope")]
    assert "**The ELBO curve repeats, nearly.**" in findings
    assert text.count("](figures/vae/printed_elbo.png)\n") == findings.count("](figures/vae/printed_elbo.png)\n") == 1
    assert "Under [Findings](#findings): [-ELBO beside that of report 001](figures/vae/printed_elbo.png)." in text
