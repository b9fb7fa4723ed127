"""Checks of the device, of what DVC and MLflow keep, of the data and of params.yaml."""

import hashlib
import json
import os
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import sqlalchemy
import torch
import yaml
from alembic.script import ScriptDirectory
from filelock import FileLock, Timeout

from pipeline.config import params, profile
from pipeline.config.data import OWN, settings_of
from pipeline.data import own
from pipeline.doctor.finding import Finding, listed, wrong
from pipeline.repro import graph, repair
from pipeline.runtime.device import prepare
from pipeline.runtime.errors import UserError
from pipeline.runtime.paths import scratch
from pipeline.tracking import store

PARAMS = Path("params.yaml")
LOCK = Path("dvc.lock")
PATIENCE = 3.0  # seconds that a server has for its answer
PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


def device() -> Finding:
    """Try the device that stages will compute on."""
    chosen = prepare()  # a sentence where it cannot compute
    if chosen.type != "cuda":
        return Finding(f"{chosen}, {torch.get_num_threads()} thread for each stage")
    ask = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    driver = subprocess.run(ask, capture_output=True, text=True, check=False).stdout.split()
    return Finding(f"{chosen}, {torch.cuda.get_device_name(chosen)}, driver {next(iter(driver), 'unknown')}")


def cache() -> Finding:
    """Look for objects of DVC's cache that are cut off or incomplete; what is not there at all can be made again."""
    folder, links = graph.cache()
    outputs = [output for stage in _recorded().values() for output in stage.get("outs", ())]
    objects = folder / "files/md5"
    here = [output for output in outputs if _object(objects, output["md5"]).exists()]
    if damaged := [output["path"] for output in here if not _whole(objects, output)]:
        return wrong(
            f"{folder} holds damaged files of {listed(damaged)}; `dvc cache dir` ... : "
        )
    return Finding(f"{len(here)} of {len(outputs)} outputs of dvc.lock; files come from it by {links[0]}")


def tracking() -> Finding:
    """Check that MLflow's store can be reached and written, and has the form that this MLflow knows."""
    address, shown = store.uri(), store.shown(store.uri())
    if not store.enabled():
        return Finding("off, by PIPELINE_TRACKING")
    file = store.database()
    if file is not None:
        return _sqlite(file, shown)
    parts = urlsplit(address)
    if parts.scheme in ("http", "https"):
        try:
            requests.get(f"{address.rstrip('/')}/health", timeout=PATIENCE).raise_for_status()
        except requests.RequestException as error:
            return wrong(f"{shown}: no MLflow server answers ({type(error).__name__}): start it, or correct MLFLOW_TRACKING_URI")
        return Finding(f"the server {shown} answers")
    ...
