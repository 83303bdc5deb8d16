"""The papers' tuners as Optuna samplers, for any single-objective study with int, float and categorical parameters.

Each class is imported when it is first named. None of them needs TensorFlow; only `BayesianSampler` needs
bayesian-optimization.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_MODULES = {
    "GeneratorSampler": "generator",
    "GanSampler": "gan",
    "BayesianSampler": "bayesian",
    "HybridSampler": "hybrid",
}

__all__ = ["BayesianSampler", "GanSampler", "GeneratorSampler", "HybridSampler"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
