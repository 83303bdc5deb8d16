"""The generator paper's tuner: one network that emits all hyperparameters and is trained on the last MSE."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from helpers.samplers.base import HistorySampler, Observation, losses
from helpers.samplers.networks import GENERATOR_INPUTS, Adam, Weights, backward, forward, generator_weights
from helpers.space import SearchSpace

FEEDBACKS = ("paper", "product", "reinforce", "shuffled", "zero")
SCALINGS = ("tanh", "clip")
TRANSFORMS = ("none", "minmax", "rank")
POLICY_SD = 0.1  # of the Gaussian around the raw outputs, feedback "reinforce"
BASELINE = 10  # losses in the moving average that "reinforce" compares with


@dataclass(frozen=True)
class _State:
    weights: Weights
    adam: Adam
    last: float = 0.0  # the transformed value that the network sees next


class GeneratorSampler(HistorySampler):
    """Sequential 11 -> 64 -> 128 -> 256 -> 7 linear, trained with Adam, one step a trial (generator paper, 3.3.1).

    The inputs are ten of noise and the last value, log-transformed; the outputs, scaled to [0, 1], are the
    hyperparameters. A space of d parameters has d + 1 outputs; the extra one is recorded and not used. (The paper has
    seven outputs for six hyperparameters; the seventh is taken to be the number of epochs, which the text then fixes.)

    The paper says that the loss "is influenced by the MSE". The MSE is a constant for automatic differentiation, so
    something else must carry the gradient; `feedback` names what, with v the value and raw the d + 1 outputs:

    - "paper": mean((raw - v)^2), the outputs regressed on the value. Of the variants tried, its 20
      steps look most like the published table 8: they start near 0, jump, swing and settle low, all hyperparameters
      together; notebook 06 rules it out all the same. What it learns is to output the level of the error; that says
      nothing about where errors are small.
    - "product": v * mean|raw|.
    - "reinforce": an honest gradient. The policy is N(raw, 0.1^2) on the raw outputs, of which an action is drawn; the
      loss is advantage * log density(action), and the advantage is the value less the mean of the last ten before it,
      over the standard deviation of all of these. (A learning rate of 0.1 drives it into the corners within a few
      steps, whatever the feedback.)
    - "shuffled": as "paper", but fed the value of an earlier trial, drawn at random.
    - "zero": as "paper", but fed 0.

    If the last two do as well as "paper", the feedback carries nothing.

    Parameters
    ----------
    seed : int, optional
    space : mapping of str to optuna.distributions.BaseDistribution, optional
        See `HistorySampler`. Give it to have the first suggestion from the network as well.
    feedback : str
        One of the above.
    scaling : {"tanh", "clip"}
        Raw outputs to the unit cube: |tanh(raw)|, or |raw| clipped at 1.
    learning_rate : float
        Of Adam; the paper's is 0.1.
    noise : float
        Standard deviation of the ten noise inputs.
    transform : {"none", "minmax", "rank"}
        What the network is told of the values: themselves, as the paper does and as suits errors near 0; their place
        between the least and the greatest so far; or their rank among them, in [0, 1]. Use one of the last two for an
        objective on another scale and for one that is maximised.

    Raises
    ------
    ValueError
        For an unknown feedback, scaling or transform, a learning rate or noise out of range; see also `HistorySampler`.

    Notes
    -----
    `trial.system_attrs["generator"]` holds `point` (d coordinates), `raw` (the d + 1 outputs, or the action drawn
    around them) and `extra_output` (the extra output, scaled).
    """

    name = "generator"

    def __init__(
        self,
        *,
        seed: int | None = None,
        space: SearchSpace | None = None,
        feedback: str = "paper",
        scaling: str = "tanh",
        learning_rate: float = 0.1,
        noise: float = 0.1,
        transform: str = "none",
    ) -> None:
        super().__init__(seed=seed, space=space)
        for what, value, valid in (
            ("feedback", feedback, FEEDBACKS),
            ("scaling", scaling, SCALINGS),
            ("transform", transform, TRANSFORMS),
        ):
            if value not in valid:
                raise ValueError(f"Unknown {what} {value!r}; valid are {', '.join(valid)}.")
        if not 0 < learning_rate < np.inf:
            raise ValueError(f"learning_rate must be a positive number, not {learning_rate!r}.")
        if not 0 <= noise < np.inf:
            raise ValueError(f"noise must be a number of at least 0, not {noise!r}.")
        self.feedback, self.scaling, self.transform = feedback, scaling, transform
        self.learning_rate, self.noise = learning_rate, noise

    def _start(self, dimension: int) -> _State:
        return _State(generator_weights(self.seed, dimension + 1), Adam(self.learning_rate))

    def _input(self, state: _State, number: int) -> np.ndarray:
        """Shape (1, 11): the noise of trial `number` and the last value."""
        noise = self._rng(number, "noise").normal(0.0, self.noise, GENERATOR_INPUTS - 1)
        return np.append(noise, state.last)[None, :]

    def _propose(
        self,
        state: _State,
        coordinates: Any,
        seen: tuple[Observation, ...],
        number: int,
        taken: frozenset,
        running: tuple[tuple[float, ...], ...] = (),
    ) -> dict[str, Any]:
        raw = forward(state.weights, self._input(state, number))[0][0]
        if self.feedback == "reinforce":
            raw = raw + self._rng(number, "action").normal(0.0, POLICY_SD, raw.shape)
        scaled = np.abs(np.tanh(raw)) if self.scaling == "tanh" else np.minimum(np.abs(raw), 1.0)
        return {"point": scaled[:-1].tolist(), "raw": raw.tolist(), "extra_output": float(scaled[-1])}

    def _step(self, state: _State, seen: tuple[Observation, ...]) -> _State:
        value = self._fed(seen)
        if value is None:
            return state
        raw, inputs = forward(state.weights, self._input(state, seen[-1].number))
        gradients, _ = backward(state.weights, inputs, self._slope(raw, value, seen))
        weights, adam = state.adam.update(state.weights, gradients)
        return replace(state, weights=weights, adam=adam, last=float(np.sign(value) * np.log1p(abs(value))))

    def _fed(self, seen: tuple[Observation, ...]) -> float | None:
        """The value that the network is told after the last trial of `seen`; None if there is none yet."""
        if self.feedback == "zero":
            return 0.0
        known = losses(seen)
        if not len(known):
            return None
        value = known[-1]
        if self.feedback == "shuffled" and len(known) > 1:
            value = self._rng(seen[-1].number, "shuffle").choice(known[:-1])
        if self.transform == "minmax":
            low, high = known.min(), known.max()
            value = (value - low) / (high - low) if high > low else 0.5
        elif self.transform == "rank":
            others = len(known) - 1
            value = ((known < value).sum() + 0.5 * ((known == value).sum() - 1)) / others if others else 0.5
        return float(value)

    def _slope(self, raw: np.ndarray, value: float, seen: tuple[Observation, ...]) -> np.ndarray:
        """Gradient of the loss with respect to the raw outputs, shape (1, d + 1)."""
        if self.feedback == "product":
            return value * np.sign(raw) / raw.size
        if self.feedback != "reinforce":
            return 2.0 * (raw - value) / raw.size
        recent = losses(seen)[-BASELINE - 1 :]
        if np.ptp(recent) == 0.0:  # also for the first trial: nothing to compare with
            return np.zeros_like(raw)
        advantage = (recent[-1] - recent[:-1].mean()) / recent.std()
        slope = advantage * (self._action(raw[0], seen[-1]) - raw) / POLICY_SD**2
        slope[:, -1] = 0.0  # the extra output acts on nothing
        return slope

    def _action(self, raw: np.ndarray, trial: Observation) -> np.ndarray:
        """The action of `trial` in raw units: as drawn, or the nearest that leads to a trial of another origin."""
        if trial.record:
            return np.array(trial.record["raw"])
        point = np.array(trial.point)
        if self.scaling == "tanh":
            point = np.arctanh(np.minimum(point, 0.999))
        return np.append(point * np.where(raw[:-1] < 0, -1.0, 1.0), raw[-1])
