"""An ensemble of Gaussian processes on the unit cube, with gradients: what `HybridSampler` learns from.

Twenty trials do not determine a length scale for each of six parameters. So none is chosen: hyperparameters are drawn
from a prior, each draw is weighted by the likelihood that it gives the observed losses, and the draws with the largest
weights vote (importance sampling of the hyperparameters' posterior). It needs no optimiser and no derivative of the
likelihood, and takes about ten milliseconds for twenty trials, seventy for two hundred.

The kernel of one member is

    k(u, v) = (1 + r + r^2 / 3) exp(-r) + b (u - c)'(v - c),    r^2 = 5 sum_j ((u_j - v_j) / l_j)^2

a Matern kernel of smoothness 2.5 with a length scale l_j a coordinate, and a linear part about the cube's middle c: the
best hyperparameters often lie at the end of a range, to which a trend leads and a stationary process alone does not.
"""

from __future__ import annotations

import copy
import math

import numpy as np
from scipy.special import ndtr, ndtri

DRAWS = 256  # hyperparameters drawn from the prior
MEMBERS = 8  # of them, those that vote
LENGTH = (0.0, 0.7)  # mean and standard deviation of log l_j
TREND = (math.log(0.3), 1.0)  # of log b
NOISE = (math.log(0.01), 1.5)  # of the logarithm of the noise's variance, the losses having variance 1
JITTER = 1e-6
CELLS = 2**20  # numbers in the draws' covariances: fewer draws for a long history
FAR = 7.0  # by which a logarithm may lie above the median, beside three times what the least lies below it


def standardised(losses: np.ndarray) -> np.ndarray:
    """Losses as the processes see them, shape (n,), mean 0 and standard deviation 1 (all 0 where they are equal).

    Errors are positive and span decades: their logarithms are taken. One that is out of all proportion, a penalty or a
    training that diverged, would make the others look alike: those more than FAR above the median and as far again as
    three times the median is above the least are cut to that. Losses of which some are not positive have no such
    scale; their normal scores are taken, the quantiles (rank - 1/2) / n of the normal distribution, ties sharing their
    mean rank.
    """
    losses = np.asarray(losses, dtype=float)
    if (losses > 0).all():
        z = np.log(losses)
        middle = np.median(z)
        z = np.minimum(z, middle + 3.0 * (middle - z.min()) + FAR)
    else:
        ranks = (losses[:, None] > losses).sum(1) + 0.5 * (losses[:, None] == losses).sum(1)
        z = ndtri(ranks / len(losses))
    spread = z.std()
    return (z - z.mean()) / spread if spread > 1e-12 else np.zeros(len(z))


class Posterior:
    """What the trials so far say of the loss at any point of the unit cube.

    Parameters
    ----------
    points : numpy.ndarray, shape (n, d)
    losses : numpy.ndarray, shape (n,)
    rng : numpy.random.Generator
        Draws the hyperparameters.

    Attributes
    ----------
    weights : numpy.ndarray, shape (members,)
        Their share in the posterior, summing to 1.
    """

    def __init__(self, points: np.ndarray, losses: np.ndarray, rng: np.random.Generator) -> None:
        n, d = points.shape
        draws = max(MEMBERS, min(DRAWS, CELLS // n**2))
        y = standardised(losses)
        inverse = np.exp(-2.0 * (LENGTH[0] + LENGTH[1] * rng.standard_normal((draws, d))))
        trend = np.exp(TREND[0] + TREND[1] * rng.standard_normal(draws))
        noise = np.exp(NOISE[0] + NOISE[1] * rng.standard_normal(draws))
        self.points = points
        covariance = self._kernel(points, inverse, trend)[0]
        covariance[:, np.arange(n), np.arange(n)] += noise[:, None] + JITTER
        factor = np.linalg.cholesky(covariance)
        whitened = np.linalg.solve(factor, np.broadcast_to(y[:, None], (draws, n, 1)))[..., 0]
        fit = -0.5 * (whitened**2).sum(-1) - np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(-1)
        best = np.argsort(-fit, kind="stable")[:MEMBERS]
        weights = np.exp(fit[best] - fit[best[0]])
        self.weights = weights / weights.sum()
        self._inverse, self._trend, self._noise = inverse[best], trend[best], noise[best]
        self._precision = np.linalg.inv(covariance[best])
        self._alpha = self._precision @ y  # (members, n)
        # The level to improve on is the lowest loss, luck included: the mean at its point, which noise lifts, asks for
        # less and leads to searches that stay in the first valley.
        self._level = np.full((len(best), 1), y.min())

    def _kernel(self, u: np.ndarray, inverse: np.ndarray, trend: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Covariances with the trials, shape (members, m, n), and -1/5 of the slope of their first part in r^2 / 5."""
        squared = 5.0 * np.moveaxis((u[:, None] - self.points) ** 2 @ inverse.T, -1, 0)
        r = np.sqrt(squared)
        decay = np.exp(-r)
        linear = (u - 0.5) @ (self.points - 0.5).T
        return (1.0 + r + squared / 3.0) * decay + trend[:, None, None] * linear, (1.0 + r) * decay / 3.0

    def awaiting(self, points: np.ndarray) -> Posterior:
        """The posterior while trials at `points`, shape (k, d), are running: each may turn out as every member expects.

        The means stay, the deviations near those points shrink, and what is expected of them is to be improved on, so
        that the next suggestion is made elsewhere.
        """
        more = copy.copy(self)
        more.points = np.concatenate([self.points, points])
        n = len(more.points)
        covariance = more._kernel(more.points, self._inverse, self._trend)[0]
        covariance[:, np.arange(n), np.arange(n)] += self._noise[:, None] + JITTER
        more._precision = np.linalg.inv(covariance)
        more._level = np.minimum(self._level, self.moments(points)[0].min(1)[:, None])
        # A loss equal to the mean gets no weight: (K + noise) (alpha, 0) = (y, mean).
        more._alpha = np.pad(self._alpha, ((0, 0), (0, len(points))))
        return more

    def moments(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each member at `u`, shape (m, d): both (members, m), standardised losses."""
        k, _ = self._kernel(u, self._inverse, self._trend)
        mean = np.einsum("emn,en->em", k, self._alpha)
        return mean, self._deviation(u, k, k @ self._precision)

    def _deviation(self, u: np.ndarray, k: np.ndarray, solved: np.ndarray) -> np.ndarray:
        prior = 1.0 + self._trend[:, None] * ((u - 0.5) ** 2).sum(1)
        return np.sqrt(np.maximum(prior - (k * solved).sum(-1), JITTER**2))

    def bound(self, u: np.ndarray, caution: float) -> tuple[np.ndarray, np.ndarray]:
        """Lower confidence bound, the members' mean of `mean - caution * deviation`, and its gradient.

        Returns
        -------
        (numpy.ndarray, numpy.ndarray)
            Shapes (m,) and (m, d).
        """
        k, slope = self._kernel(u, self._inverse, self._trend)
        solved = k @ self._precision
        mean = np.einsum("emn,en->em", k, self._alpha)
        deviation = self._deviation(u, k, solved)
        # d mean = sum_i alpha_i dk_i;  d deviation = (b (u - c) - sum_i solved_i dk_i) / deviation
        share = self.weights[:, None]
        pull = share[..., None] * (self._alpha[:, None] + caution * solved / deviation[..., None])  # d bound / d k_i
        near = pull * slope
        # dk_i / du_j = -5 slope_i (u_j - x_ij) / l_j^2 + b (x_ij - c_j)
        matern = -5.0 * self._inverse[:, None] * (u * near.sum(-1)[..., None] - near @ self.points)
        trend = (self._trend[:, None, None] * pull) @ (self.points - 0.5)
        own = -(share * caution * self._trend[:, None] / deviation)[..., None] * (u - 0.5)
        return self.weights @ (mean - caution * deviation), (matern + trend + own).sum(0)

    def improvement(self, u: np.ndarray) -> np.ndarray:
        """Logarithm of the expected improvement on the lowest loss of a trial, averaged over the members; (m,)."""
        mean, deviation = self.moments(u)
        z = (self._level - mean) / deviation
        expected = deviation * (z * ndtr(z) + np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi))
        return np.log(np.maximum(self.weights @ expected, 1e-300))
