"""The index leads to figures that show the thing, and says which runs they lack."""

from typing import Any

from pipeline.report import reported
from pipeline.report.index import index
from pipeline.report.reported import Item
from pipeline.runtime.plan import Plan

REPORTED = reported.read()
DISTANCE = "figures/gan/distance.png"


def plan(stage: str, run: str) -> Plan:
    return Plan(stage, run, {}, f"{stage}/{run}")


def figure(path: str, caption: str) -> str:
    return f"![a figure]({path})\n\n*{caption}*\n\n"


def row(name: str, text: str, sources: dict[str, list[Plan]], finished: set[tuple[str, str]] | None = None) -> Any:
    return next(line for line in index(REPORTED.items, text, sources, finished or set()) if line["name"] == name)


def test_a_figure_that_shows_all_runs_is_linked_and_lacks_none() -> None:
    shown = [plan("score_gan", run) for run in ("vanilla", "lsgan", "wgan_gp")]
    found = row("F22", figure(DISTANCE, "F22. Distances."), {DISTANCE: shown})
    assert found["places"] == [("gan/distance", DISTANCE)] and found["lacks"] == []


def test_a_run_that_the_figure_lacks_is_named() -> None:
    shown = [plan("score_gan", run) for run in ("vanilla", "jsd_1")]
    found = row("F22", figure(DISTANCE, "F22. Distances."), {DISTANCE: shown})
    assert found["places"] and found["lacks"] == ["lsgan", "wgan_gp"]


def test_a_figure_without_any_of_the_runs_is_no_place_of_the_item() -> None:
    found = row("F22", figure(DISTANCE, "F22. Distances."), {DISTANCE: [plan("score_gan", "jsd_1")]})
    assert found["places"] == [] and found["lacks"] == []


def test_several_figures_together_show_an_item() -> None:
    text = figure("a.png", "F27. Curves.") + figure("b.png", "F27. Samples.") + figure("c.png", "F27. Samples.")
    trained = [plan("train_vae", run) for run in ("beta_0_8", "beta_1_2")]
    sources = {"a.png": trained, "b.png": [plan("likelihood", "beta_0_8")], "c.png": []}
    assert row("F27", text, sources)["lacks"] == ["beta_1_2"]
    assert len(row("F27", text, sources)["places"]) == 2


def test_a_table_shows_what_has_finished() -> None:
    assert row("T02", "### T02: the network\n", {}, {("likelihood", "mlp_standardised")})["lacks"] == []
    assert row("T02", "### T02: the network\n", {}, {("likelihood", "other")})["places"] == []


def test_every_item_says_which_runs_it_is_about() -> None:
    without = {name for name, item in REPORTED.items.items() if not item.runs}
    assert without == {"F25", "T03"}  # autoencoders of whatever sizes, and the table of everything
    assert Item(report="000", what="x", shows={"a": ["b", "c"]}).runs == {("a", "b"), ("a", "c")}
