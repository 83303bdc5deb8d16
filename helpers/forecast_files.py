"""The forecasts of a study's best trials, one file each beside its journal, and what they belong to."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.space import LstmConfig
from helpers.trial import TrialResult

if TYPE_CHECKING:
    from helpers.windows import Dataset

logger = logging.getLogger(__name__)


def best_path(journal: Path, number: int) -> Path:
    """File of the forecasts of trial `number` (from 0), the best so far, made by the trial itself."""
    return journal.with_suffix(f".best-{number + 1:04d}.npz")


def final_path(journal: Path, number: int) -> Path:
    """File of the forecasts of the final test part, of trial `number` (from 0) trained once more for them."""
    return journal.with_suffix(f".final-{number + 1:04d}.npz")


def training_text(seed: int, identity: Mapping[str, Any]) -> str:
    """How a trial with the training seed `seed` is trained in a study of this identity; stored with its forecasts."""
    return json.dumps({"seed": int(seed), "epochs": int(identity["epochs"]), "engine": identity["engine"]})


def forget(journal: Path) -> None:
    """Remove the forecasts that an earlier study of this name left: its journal is gone, they belong to no trial."""
    name = re.compile(rf"{re.escape(journal.stem)}\.(best|final)-[0-9]{{4,}}\.npz")
    left = [path for path in journal.parent.iterdir() if name.fullmatch(path.name)]
    for path in left:
        path.unlink(missing_ok=True)
    if left:
        logger.info("%s: removed forecasts of an earlier study of this name: %d files.", journal.stem, len(left))


def store(path: Path, config: LstmConfig, result: TrialResult, dataset: Dataset, *, stage: str, training: str) -> None:
    """Forecasts with what they belong to; never closes, which are the vendor's. Written aside, then moved."""
    aside = path.with_suffix(f".{os.getpid()}.aside.npz")
    try:
        np.savez(
            aside,
            predictions=np.asarray(result.predictions, np.float32),
            mse=np.float64(result.mse),
            config=np.array(json.dumps(config.as_dict())),
            data_sha256=np.array(dataset.data_sha256),
            protocol=np.array(json.dumps(dataset.identity)),
            stage=np.array(stage),
            training=np.array(training),
        )
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def stored(path: Path, config: LstmConfig, dataset: Dataset, samples: int, *, training: str) -> np.ndarray | None:
    """The stored forecasts, shape (samples,); None if they are missing, damaged or belong to something else.

    `training`: see `training_text`. Files stored before it was noted are judged without it.
    """
    if not path.is_file():
        return None
    expected = (
        json.dumps(config.as_dict()),
        dataset.data_sha256,
        json.dumps(dataset.identity),
        training,
    )
    try:
        with np.load(path, allow_pickle=False) as file:
            found = tuple(str(file[key]) for key in ("config", "data_sha256", "protocol"))
            found += (str(file["training"]) if "training" in file else training,)
            predictions = file["predictions"]
    except Exception as error:  # a damaged archive raises many kinds
        logger.warning("%s cannot be read: %s.", path.name, error)
        return None
    if found != expected or predictions.shape != (samples,) or not np.isfinite(predictions).all():
        logger.warning("%s does not belong to the study's best trial.", path.name)
        return None
    return predictions
