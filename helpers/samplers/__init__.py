"""The papers' tuners, and the hybrid of both, as Optuna samplers.

They serve any single-objective study with int, float and categorical parameters. Each class is imported when it is
first named. None of them needs TensorFlow; only `BayesianSampler` needs bayesian-optimization.

Examples
--------
A support vector machine, tuned by cross-validation:

>>> import optuna
>>> from sklearn.datasets import load_diabetes
>>> from sklearn.model_selection import cross_val_score
>>> from sklearn.pipeline import make_pipeline
>>> from sklearn.preprocessing import StandardScaler
>>> from sklearn.svm import SVR
>>> from helpers.samplers import HybridSampler
>>> optuna.logging.set_verbosity(optuna.logging.WARNING)
>>> x, y = load_diabetes(return_X_y=True)
>>> def objective(trial):
...     model = SVR(
...         C=trial.suggest_float("C", 1e-2, 1e4, log=True),
...         gamma=trial.suggest_float("gamma", 1e-5, 1e1, log=True),
...         epsilon=trial.suggest_float("epsilon", 1e-2, 1e2, log=True),
...     )
...     scores = cross_val_score(make_pipeline(StandardScaler(), model), x, y, cv=3, scoring="neg_mean_squared_error")
...     return -scores.mean()
>>> study = optuna.create_study(sampler=HybridSampler(seed=0))
>>> study.optimize(objective, n_trials=20)
>>> study.best_value < 3100  # the default SVR(): 5100; the variance of y: 5900
True

With `space` given the tuner proposes from the first trial on, instead of from the second. `GeneratorSampler`,
`GanSampler` and `BayesianSampler` are used in the same way.
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
