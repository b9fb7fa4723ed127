"""Mistakes that only a GPU would show, planted one at a time: the pretended one shows each of them."""

import re

import numpy as np
import pytest
import torch
from gpu import small
from gpu.conftest import Differs
from torch.nn import functional as F

import pipeline.features.evaluator
import pipeline.gan.average
import pipeline.gan.model
import pipeline.gan.network
import pipeline.gan.score
import pipeline.gan.train
import pipeline.gan.trainer
import pipeline.simsiam.score
import pipeline.simsiam.train
import pipeline.vae.likelihood
import pipeline.vae.train
from pipeline.gan.train import GanTrainee
from pipeline.gan.trainer import Trainer
from pipeline.runtime import seeding, weights
from pipeline.runtime.adam import Adam
from pipeline.runtime.captured import Captured
from pipeline.runtime.checkpoint import Checkpoint
from pipeline.simsiam.train import SimSiamTrainee
from pipeline.vae.train import VaeTrainee
