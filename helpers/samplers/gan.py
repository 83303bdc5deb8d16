"""The GAN paper's tuner: a generator with one pathway per hyperparameter, judged by a discriminator."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from helpers.checks import whole
from helpers.samplers.base import HistorySampler, Observation, configuration_key, losses, untried_point
from helpers.samplers.networks import (
    DISCRIMINATOR_RATE,
    HISTORY,
    PATHWAY_NOISE,
    Adagrad,
    Adam,
    Weights,
    backward,
    discriminator_weights,
    forward,
    gan_generator_weights,
    sigmoid,
)
from helpers.space import SearchSpace, UnitCube

BATCH = 32  # generated, real and fake points in one inner step
WINDOW = 3  # trials in each of the two moving averages whose order says whether quality deteriorates
WARM_UP = 4  # trials before the first step: with fewer, "best so far" is the generator's own first drift
DISCRIMINATOR_STEPS = 150  # a trial: with few it only points towards the elites and drives the generator past them
ELITE = 0.25  # share of the trials that count as best so far
FEWEST_ELITES = 2
ELITE_SD = 0.1  # real examples are the elites with this much noise: a few points are no distribution
ERROR_REACH = 0.2  # root mean squared distance over the coordinates at which a trial's error still counts
DIVERSITY_REACH = 0.1  # the same for the repulsion from every past configuration
SCALINGS = ("tanh", "sigmoid")
REDRAWS = 20  # fresh noise this often before a repeated configuration is replaced by a random one


@dataclass(frozen=True)
class _State:
    generator: Weights
    generator_optimiser: Adagrad
    discriminator: Weights
    discriminator_optimiser: Adam
    history: np.ndarray  # (HISTORY,): the losses as the generator sees them
    injected: bool = False


class GanSampler(HistorySampler):
    """Generator and discriminator over the unit cube of configurations (GAN paper, sections 3.3, 3.4 and 3.6).

    The generator has one pathway per hyperparameter: the history of MSEs and noise of its own through two dense ReLU
    layers to one raw output, which is scaled to a coordinate of the unit cube. The scaling is |tanh(raw)| as in the
    generator paper's tuner: an untrained network's outputs lie near 0, and 90 % of the published appendix B lies in
    the lower half of the ranges (its mean coordinate is 0.22), where a sigmoid would start in the middle. The
    discriminator sees the whole continuous point, before
    rounding, so that its gradient is real; it is trained by binary cross-entropy to tell the best configurations so far
    (real) from random ones (fake). When the running quality deteriorates, that is when the mean of the last three
    losses exceeds that of the three before, random configurations are shown to it as real as well, half of the batch.

    The first four trials come from the untrained generator. After the fourth and every later one the discriminator
    takes 150 steps of Adam on fresh batches and the generator `inner_steps` of Adagrad. It minimises the mean over
    generated points u of

        -log D(u)  +  error_weight * sum_j c_j k(u, u_j; 0.2) / n  +  diversity_weight * sum_j k(u, u_j; 0.1) / n

    with k a Gaussian kernel, u_j the n configurations tried and c_j their errors, scaled to [-1, 1]. The first term is
    the probability of being called fake, in the form whose gradient does not vanish where the discriminator is sure.
    The second is the MSE's part: an MSE is a constant, no gradient leads from it to the generator's weights, but the
    distance to the place where it was measured has one; good configurations attract and bad ones repel. The third keeps
    the generator away from everything already tried. The paper names these parts and gives no formulas: widths,
    kernels, weights and steps are ours: about thirty settings were tried on random bowls over the unit cube, none on an
    LSTM.

    No configuration is proposed twice: a repeated one is drawn again with fresh noise, then at random, until it is new
    or the space has no other.

    Parameters
    ----------
    seed : int, optional
    space : mapping of str to optuna.distributions.BaseDistribution, optional
        See `HistorySampler`. Give it to have the first suggestion from the network as well.
    scaling : {"tanh", "sigmoid"}
        Raw outputs to the unit cube: |tanh(raw)|, which starts at the low ends as the paper's table does, or
        sigma(raw), which starts from the middle and found the better optima on random bowls.
    discriminator : bool
        Without it the generator has the error and diversity terms alone.
    learning_rate : float
        Of Adagrad, "high" in the paper: the default 0.1 is a hundred times Keras' and the generator paper's rate.
        Adagrad starts from accumulators of 0.1, so that a step is at most a third of the gradient at first.
    inner_steps : int
        Steps of the generator after every trial.
    error_weight, diversity_weight : float
        Weights of the second and third term; 0 leaves the term out. The errors' weights cancel in part, so that term
        has more.

    Raises
    ------
    ValueError
        For an unknown scaling, a learning rate, a number of steps or a weight out of range; see also `HistorySampler`.

    Notes
    -----
    `trial.system_attrs["gan"]` holds `point` (d coordinates, before rounding), `probability` (the discriminator's, that
    the point is real; None without a discriminator), `injected` (whether random configurations were shown as real in
    the last step) and `redraws` (how many repeated proposals were thrown away).
    """

    name = "gan"

    def __init__(
        self,
        *,
        seed: int | None = None,
        space: SearchSpace | None = None,
        scaling: str = "tanh",
        discriminator: bool = True,
        learning_rate: float = 0.1,
        inner_steps: int = 3,
        error_weight: float = 4.0,
        diversity_weight: float = 1.0,
    ) -> None:
        super().__init__(seed=seed, space=space)
        if scaling not in SCALINGS:
            raise ValueError(f"Unknown scaling {scaling!r}; valid are {', '.join(SCALINGS)}.")
        if not 0 < learning_rate < np.inf:
            raise ValueError(f"learning_rate must be a positive number, not {learning_rate!r}.")
        for what, weight in (("error_weight", error_weight), ("diversity_weight", diversity_weight)):
            if not 0 <= weight < np.inf:
                raise ValueError(f"{what} must be a number of at least 0, not {weight!r}.")
        self.scaling, self.discriminator = scaling, bool(discriminator)
        self.learning_rate, self.inner_steps = learning_rate, whole("inner_steps", inner_steps)
        self.error_weight, self.diversity_weight = error_weight, diversity_weight

    def _start(self, dimension: int) -> _State:
        return _State(
            generator=gan_generator_weights(self.seed, dimension),
            generator_optimiser=Adagrad(self.learning_rate),
            discriminator=discriminator_weights(self.seed, dimension),
            discriminator_optimiser=Adam(DISCRIMINATOR_RATE),
            history=history_inputs(np.array([])),
        )

    def _step(self, state: _State, seen: tuple[Observation, ...]) -> _State:
        values = losses(seen)
        if len(values) < WARM_UP:
            return state
        rng = self._rng(seen[-1].number, "step")
        points = np.array([o.point for o in seen])
        state = replace(state, history=history_inputs(values), injected=self.discriminator and deteriorates(values))
        errors = centred_errors(values)
        elites = points[np.argsort(values, kind="stable")[: max(FEWEST_ELITES, round(ELITE * len(values)))]]
        for _ in range(DISCRIMINATOR_STEPS if self.discriminator else 0):
            state = self._train_discriminator(state, elites, rng)
        for _ in range(self.inner_steps):
            state = self._train_generator(state, points, errors, rng)
        return state

    def _train_discriminator(self, state: _State, elites: np.ndarray, rng: np.random.Generator) -> _State:
        """One step of binary cross-entropy on BATCH real and BATCH fake points."""
        dimension = elites.shape[1]
        real = elites[rng.integers(len(elites), size=BATCH)] + rng.normal(0.0, ELITE_SD, (BATCH, dimension))
        real = np.clip(real, 0.0, 1.0)
        if state.injected:
            real[: BATCH // 2] = rng.random((BATCH // 2, dimension))
        x = np.concatenate([real, rng.random((BATCH, dimension))])
        labels = np.repeat([1.0, 0.0], BATCH)[:, None]
        logit, inputs = forward(state.discriminator, x)
        gradients, _ = backward(state.discriminator, inputs, (sigmoid(logit) - labels) / len(x))
        weights, optimiser = state.discriminator_optimiser.update(state.discriminator, gradients)
        return replace(state, discriminator=weights, discriminator_optimiser=optimiser)

    def _train_generator(
        self, state: _State, points: np.ndarray, errors: np.ndarray, rng: np.random.Generator
    ) -> _State:
        """One Adagrad step on BATCH generated points."""
        dimension = points.shape[1]
        raw, inputs = forward(state.generator, generator_inputs(state.history, dimension, BATCH, rng))
        u, steepness = scaled(raw[..., 0].T, self.scaling)  # both (BATCH, d)
        slope = self.error_weight * kernel_slope(u, points, errors, ERROR_REACH)
        slope += self.diversity_weight * kernel_slope(u, points, np.ones(len(points)), DIVERSITY_REACH)
        if self.discriminator:
            logit, activations = forward(state.discriminator, u)
            # d(-log D)/d logit = D - 1
            slope += backward(state.discriminator, activations, sigmoid(logit) - 1.0)[1]
        d_raw = (slope * steepness / BATCH).T[..., None]
        gradients, _ = backward(state.generator, inputs, d_raw)
        weights, optimiser = state.generator_optimiser.update(state.generator, gradients)
        return replace(state, generator=weights, generator_optimiser=optimiser)

    def _propose(
        self,
        state: _State,
        coordinates: UnitCube,
        seen: tuple[Observation, ...],
        number: int,
        taken: frozenset,
        running: tuple[tuple[float, ...], ...] = (),
    ) -> dict[str, Any]:
        rng = self._rng(number, "propose")
        dimension = len(coordinates)
        redraws, point = 0, np.empty(0)

        def is_new() -> bool:
            return configuration_key(coordinates.space, coordinates.decode(point)) not in taken

        for attempt in range(2 * REDRAWS):
            if attempt < REDRAWS:
                raw, _ = forward(state.generator, generator_inputs(state.history, dimension, 1, rng))
                point, _ = scaled(raw[:, 0, 0], self.scaling)
            else:
                point = rng.random(dimension)
            if is_new():
                break
            redraws += 1
        else:
            untried = untried_point(coordinates, taken, rng)
            point = point if untried is None else untried
        probability = None
        if self.discriminator:
            probability = float(sigmoid(forward(state.discriminator, point[None, :])[0])[0, 0])
        return {
            "point": point.tolist(),
            "probability": probability,
            "injected": state.injected,
            "redraws": redraws,
        }


def scaled(raw: np.ndarray, scaling: str) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates in the unit cube and their derivatives by the raw outputs, both of the shape of `raw`."""
    if scaling == "sigmoid":
        u = sigmoid(raw)
        return u, u * (1.0 - u)
    u = np.abs(np.tanh(raw))
    return u, np.sign(raw) * (1.0 - u**2)


def history_inputs(values: np.ndarray) -> np.ndarray:
    """The last losses as network inputs, shape (HISTORY,): between -0.5, the least so far, and 0.5, the greatest.

    On a logarithmic scale where all are positive, as errors are. Padded in front with 0.
    """
    if len(values) and values.min() > 0:
        values = np.log(values)
    inputs = np.zeros(HISTORY)
    spread = np.ptp(values) if len(values) else 0.0
    if spread > 0:
        recent = values[-HISTORY:]
        inputs[HISTORY - len(recent) :] = (recent - values.min()) / spread - 0.5
    return inputs


def centred_errors(values: np.ndarray) -> np.ndarray:
    """Losses, shape (n,), as weights in [-1, 1]: scaled as in `history_inputs`, less their mean."""
    if values.min() > 0:
        values = np.log(values)
    spread = np.ptp(values)
    return (values - values.mean()) / spread if spread > 0 else np.zeros(len(values))


def deteriorates(values: np.ndarray) -> bool:
    """Whether the mean of the last WINDOW losses exceeds that of the WINDOW before."""
    return len(values) >= 2 * WINDOW and bool(values[-WINDOW:].mean() > values[-2 * WINDOW : -WINDOW].mean())


def generator_inputs(history: np.ndarray, dimension: int, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Shape (dimension, samples, HISTORY + PATHWAY_NOISE): the shared history and each pathway's own standard noise."""
    shared = np.broadcast_to(history, (dimension, samples, HISTORY))
    return np.concatenate([shared, rng.normal(size=(dimension, samples, PATHWAY_NOISE))], axis=-1)


def kernel_slope(u: np.ndarray, points: np.ndarray, weights: np.ndarray, reach: float) -> np.ndarray:
    """Gradient with respect to `u`, shape (m, d), of sum_j weights_j exp(-|u - points_j|^2 / (2 d reach^2)) / n.

    `points` has shape (n, d), `weights` (n,).
    """
    away = u[:, None, :] - points[None, :, :]
    scale = points.shape[1] * reach**2
    k = weights * np.exp(-(away**2).sum(axis=-1) / (2.0 * scale))
    return -(k[..., None] * away).sum(axis=1) / (scale * len(points))
