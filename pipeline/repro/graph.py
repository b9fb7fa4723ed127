"""What is to be done, asked of DVC: which stages changed, what follows from them, and what waits for what."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import networkx as nx
from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.repo import Repo
from dvc_objects.fs.generic import test_links

from pipeline.runtime.errors import UserError

PLAN = "plan"


def ask() -> tuple["nx.DiGraph[str]", set[str]]:
    """Return DVC's graph, with an edge from each stage to those that read its outputs, and the stages that changed."""
    with _repo() as repo:
        graph = nx.relabel_nodes(repo.index.graph.reverse(), lambda stage: stage.addressing)
        return graph, set(repo.status())


def uncached() -> dict[str, str]:
    """Return the files that DVC leaves to git, such as metrics, and the stage that writes each."""
    with _repo() as repo:
        return {str(out): out.stage.addressing for out in repo.index.outs if not out.use_cache}


def cache() -> Path:
    """Return the folder of the objects in DVC's cache, usually `.dvc/cache/files/md5`."""
    with _repo() as repo:
        return Path(repo.cache.local.path)


def links() -> list[str]:
    """Return the ways by which files can come from DVC's cache into the checkout; the first one is taken."""
    with _repo() as repo:
        own = repo.cache.local
        found: list[str] = test_links(own.cache_types, own.fs, own.path, repo.fs, repo.root_dir)
        return found


@contextmanager
def _repo() -> Iterator[Repo]:
    """Open this checkout as DVC sees it, and turn what DVC cannot do into a sentence."""
    try:
        with Repo() as repo:
            yield repo
    except LockError:
        raise UserError("another DVC process is running in this checkout; rerun this command when it ends.") from None
    except DvcException as error:
        reason = next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)
        raise UserError(
            f"DVC cannot read this checkout: {reason.rstrip('.')}. `git diff dvc.yaml dvc.lock` shows what has changed"
            " in its files, and `git checkout FILE` restores one of them; `make doctor` looks at the rest."
        ) from None


def select(graph: "nx.DiGraph[str]", targets: Collection[str]) -> "nx.DiGraph[str]":
    """Return the part of the graph that `targets` need; all of it where there are none.

    Args:
        graph: From each stage to those that read its outputs.
        targets: Stages, `train_vae@bernoulli`, or all runs of a stage, `train_vae`.

    Raises:
        UserError: If a target is neither.
    """
    if not targets:
        return graph
    wanted: set[str] = set()
    for target in targets:
        named = {stage for stage in graph if target in (stage, stage.partition("@")[0])}
        if not named:
            raise UserError(f"{target}: no such stage; `dvc stage list --name-only` lists them.")
        wanted |= named.union(*(nx.ancestors(graph, stage) for stage in named))
    return graph.subgraph(wanted)


def work(graph: "nx.DiGraph[str]", changed: Collection[str]) -> "nx.DiGraph[str]":
    """Return the part of the graph that may have to run: what changed, and all that follows from it.

    `plan` is the exception. Its files are written before DVC is asked, so that a stage whose plan or modules did change
    is among `changed` itself.
    """
    todo = set(changed) & set(graph)
    for stage in todo - {PLAN}:
        todo |= nx.descendants(graph, stage)
    return graph.subgraph(todo)


def urgency(graph: "nx.DiGraph[str]", seconds: Mapping[str, float]) -> dict[str, tuple[float, int]]:
    """Return how long the longest chain of work from each stage to the end takes, then how many stages wait for it.

    Args:
        graph: What is to be done.
        seconds: What each stage took when it last ran; one that never did counts as their mean.
    """
    known = [seconds[stage] for stage in graph if stage in seconds]
    mean = sum(known) / len(known) if known else 1.0
    chain: dict[str, float] = {}
    for stage in reversed(list(nx.topological_sort(graph))):
        chain[stage] = seconds.get(stage, mean) + max((chain[later] for later in graph[stage]), default=0.0)
    return {stage: (length, len(nx.descendants(graph, stage))) for stage, length in chain.items()}
