"""Checks of the device, of what DVC and MLflow keep, of one's own data, of params.yaml and of what was left undone."""

import os
import shutil
import sqlite3
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path

import torch

from pipeline.config import params, profile
from pipeline.data import own
from pipeline.data.settings import Making
from pipeline.doctor.diagnosis import Diagnosis, listed, wrong
from pipeline.repro import graph, objects, repair
from pipeline.runtime.device import prepare
from pipeline.runtime.paths import scratch
from pipeline.runtime.settings import build
from pipeline.tracking import store

PARAMS, LOCK = Path("params.yaml"), Path("dvc.lock")
PATIENCE = 3.0  # seconds for which another process may hold the database


def device() -> Diagnosis:
    """Try the device that stages compute on."""
    chosen = prepare()
    if chosen.type != "cuda":
        return Diagnosis(f"{chosen}, threads of a stage: {torch.get_num_threads()}")
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    driver = subprocess.run(query, capture_output=True, text=True, check=False).stdout.split()
    return Diagnosis(f"{torch.cuda.get_device_name(chosen)}, driver {next(iter(driver), 'unknown')}")


def cache() -> Diagnosis:
    """Look for damaged objects in DVC's cache; what is not there at all can be fetched or made again."""
    repair.refuse_conflicts()
    folder = graph.cache()
    outputs = objects.recorded(LOCK)
    here = [output for output in outputs if objects.place(folder, output["md5"]).exists()]
    if damaged := [output["path"] for output in here if objects.damaged(folder, output, thoroughly=True)]:
        return wrong(f"{folder} holds damaged copies of {listed(damaged)}: `make repro` removes them")
    return Diagnosis(f"{len(here)} of {len(outputs)} outputs of {LOCK}, which come here by {graph.links()[0]}")


def tracking() -> Diagnosis:
    """Check that MLflow's store can be reached and written, and has the form that this MLflow knows."""
    shown, file = store.shown(store.uri()), store.database()
    if not store.enabled():
        return Diagnosis("off, by PIPELINE_TRACKING")
    if file is not None and not file.exists():
        return Diagnosis(f"{shown}, which the first record makes")
    os.environ["MLFLOW_LOGGING_LEVEL"] = "ERROR"  # what it tries again is not of interest
    try:
        store.connect().search_experiments(max_results=1)
        if file is not None:
            with closing(sqlite3.connect(file, timeout=PATIENCE)) as database:
                database.execute("BEGIN IMMEDIATE")
    except Exception as error:  # MLflow's, SQLAlchemy's, a driver's
        return wrong(
            f"{store.reason(error)}: correct MLFLOW_TRACKING_URI, or move the store away and `python -m"
            " pipeline.tracking sync` fills another; stages run without it"
        )
    return Diagnosis(shown)


def data() -> Diagnosis:
    """Compare one's own data with the checksums in params.yaml."""
    plans = [plan for plan in params.expand(params.read(PARAMS)) if plan.stage == "data"]
    sets = {plan.run: made.own for plan in plans if (made := build(Making, plan.settings)).own}
    for entry in sets.values():
        own.verified(entry)
    return Diagnosis(f"{listed(list(sets))}, as params.yaml has the checksums" if sets else "none of your own")


def hyperparameters() -> Diagnosis:
    """Check params.yaml, and say which profile it holds."""
    content = params.read(PARAMS)
    params.expand(content)
    changed = {name: list(profile.differing(content, profile.load(name))) for name in profile.NAMES}
    nearest = min(changed, key=lambda name: len(changed[name]))
    places = [profile.dotted(place) for place in changed[nearest]]
    return Diagnosis(f"profile {nearest}" + (f" but for {listed(places)}" if places else ""))


def leftovers() -> Diagnosis:
    """Look for what a kill has left behind."""
    with tempfile.TemporaryDirectory() as folder:
        for name in (LOCK, Path(".dvc/tmp/rwlock")):
            if name.exists():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(name, folder / name)
        broken = repair.repair(Path(folder))
    if broken:
        return wrong(f"{listed([sentence.removeprefix(f'{folder}/') for sentence in broken])}: `make repro` does so")
    begun = sorted({place.parent.name for place in (scratch() / "stages").glob("*/*") if any(place.iterdir())})
    return Diagnosis(f"interrupted: {listed(begun)}; `make repro` goes on" if begun else "nothing is half done")
