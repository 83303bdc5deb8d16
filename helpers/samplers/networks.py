"""Small dense networks in plain NumPy, and the same networks in Keras.

A tuner's network is tiny and sees a handful of examples, so starting TensorFlow would cost more than all its training.
Keras is the definition all the same: `generator_model`, `gan_generator_model` and `discriminator_model` build the
networks there, with the same initial weights, for the architecture diagrams and for the tests that hold the two equal.

A network is a tuple of arrays (W1, b1, W2, b2, ...) in the order of Keras' `get_weights`; every function is pure.
Hidden layers are ReLU, the output is linear. Several networks of one shape run side by side where W has a leading
axis: (networks, inputs, outputs), with b (networks, 1, outputs) and x (networks, samples, inputs).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

Weights = tuple[np.ndarray, ...]

GENERATOR_INPUTS = 11  # ten of noise and the transformed last MSE: generator paper, table 3
GENERATOR_HIDDEN = (64, 128, 256)  # generator paper, table 3
PATHWAY_HIDDEN = (32, 32)  # the GAN paper gives no widths: enough for one coordinate out of a dozen inputs
DISCRIMINATOR_HIDDEN = (64, 32)  # GAN paper, section 3.6.1: "dense ... ReLU", widths not given
DISCRIMINATOR_RATE = 0.02  # of its Adam; not in the paper
HISTORY = 10  # MSEs that a pathway of the GAN's generator sees
PATHWAY_NOISE = 4  # noise inputs of each pathway


def glorot(rng: np.random.Generator, widths: Sequence[int], networks: int | None = None) -> Weights:
    """Initial weights of a network of the given layer widths, inputs first: Glorot uniform, biases zero.

    With `networks` given, that many of them side by side.
    """
    lead = () if networks is None else (networks,)
    weights: list[np.ndarray] = []
    for fan_in, fan_out in pairwise(widths):
        limit = np.sqrt(6.0 / (fan_in + fan_out))
        weights.append(rng.uniform(-limit, limit, (*lead, fan_in, fan_out)))
        weights.append(np.zeros((fan_out,) if networks is None else (networks, 1, fan_out)))
    return tuple(weights)


def forward(weights: Weights, x: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Output of shape (..., samples, outputs) for `x` of shape (..., samples, inputs), and every layer's input."""
    inputs = []
    last = len(weights) - 2
    for layer in range(0, len(weights), 2):
        inputs.append(x)
        x = x @ weights[layer] + weights[layer + 1]
        if layer < last:
            x = np.maximum(x, 0.0)
    return x, inputs


def backward(weights: Weights, inputs: list[np.ndarray], d_output: np.ndarray) -> tuple[Weights, np.ndarray]:
    """Gradients of a loss with respect to the weights and to `x`, from its gradient with respect to the output.

    `inputs` are those that `forward` returned with that output.
    """
    gradients: list[np.ndarray] = []
    d = d_output
    for layer in range(len(weights) - 2, -1, -2):
        x = inputs[layer // 2]
        gradients += [d.sum(axis=-2).reshape(weights[layer + 1].shape), np.swapaxes(x, -1, -2) @ d]
        d = d @ np.swapaxes(weights[layer], -1, -2)
        if layer:
            d = d * (x > 0)
    return tuple(reversed(gradients)), d


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))


@dataclass(frozen=True)
class Adam:
    """Adam as Keras defines it (defaults included); holds the moments of the weights it has updated.

    Attributes
    ----------
    rate : float
        Learning rate.
    """

    rate: float
    first: Weights = ()
    second: Weights = ()
    steps: int = 0
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    def update(self, weights: Weights, gradients: Weights) -> tuple[Weights, Adam]:
        """The weights after one step, and the optimiser with its new moments."""
        first = self.first or tuple(np.zeros_like(w) for w in weights)
        second = self.second or first
        steps = self.steps + 1
        first = tuple(m + (g - m) * (1 - self.beta_1) for m, g in zip(first, gradients, strict=True))
        second = tuple(v + (g * g - v) * (1 - self.beta_2) for v, g in zip(second, gradients, strict=True))
        alpha = self.rate * np.sqrt(1 - self.beta_2**steps) / (1 - self.beta_1**steps)
        moved = tuple(
            w - alpha * m / (np.sqrt(v) + self.epsilon) for w, m, v in zip(weights, first, second, strict=True)
        )
        return moved, Adam(self.rate, first, second, steps, self.beta_1, self.beta_2, self.epsilon)


@dataclass(frozen=True)
class Adagrad:
    """Adagrad as Keras defines it (defaults included): accumulators start at `initial`, epsilon under the root.

    Attributes
    ----------
    rate : float
        Learning rate.
    """

    rate: float
    accumulators: Weights = ()
    initial: float = 0.1
    epsilon: float = 1e-7

    def update(self, weights: Weights, gradients: Weights) -> tuple[Weights, Adagrad]:
        """The weights after one step, and the optimiser with its new accumulators."""
        sums = self.accumulators or tuple(np.full_like(w, self.initial) for w in weights)
        sums = tuple(a + g * g for a, g in zip(sums, gradients, strict=True))
        moved = tuple(
            w - self.rate * g / np.sqrt(a + self.epsilon) for w, g, a in zip(weights, gradients, sums, strict=True)
        )
        return moved, Adagrad(self.rate, sums, self.initial, self.epsilon)


def generator_weights(seed: int, outputs: int = 7) -> Weights:
    """Initial weights of the generator paper's network: 11 -> 64 -> 128 -> 256 -> `outputs`."""
    return glorot(np.random.default_rng([seed, 1]), (GENERATOR_INPUTS, *GENERATOR_HIDDEN, outputs))


def gan_generator_weights(seed: int, pathways: int = 6) -> Weights:
    """Initial weights of the GAN's generator, one pathway a hyperparameter."""
    widths = (HISTORY + PATHWAY_NOISE, *PATHWAY_HIDDEN, 1)
    return glorot(np.random.default_rng([seed, 2]), widths, pathways)


def discriminator_weights(seed: int, inputs: int = 6) -> Weights:
    """Initial weights of the GAN's discriminator over the unit cube of dimension `inputs`."""
    return glorot(np.random.default_rng([seed, 3]), (inputs, *DISCRIMINATOR_HIDDEN, 1))


def generator_model(seed: int = 0, outputs: int = 7) -> keras.Sequential:
    """The generator paper's network in Keras (table 3, figure 6), with the weights `GeneratorSampler(seed=seed)` has.

    Input (batch, 11), output (batch, outputs), linear; compiled with Adam, learning rate 0.1 (section 3.3.1).
    """
    import keras

    model = keras.Sequential([keras.Input((GENERATOR_INPUTS,), name="noise_and_last_mse")], name="generator")
    for i, units in enumerate(GENERATOR_HIDDEN):
        model.add(keras.layers.Dense(units, activation="relu", name=f"dense_{i + 1}"))
    model.add(keras.layers.Dense(outputs, name="raw_hyperparameters"))
    model.set_weights(generator_weights(seed, outputs))
    model.compile(optimizer=keras.optimizers.Adam(0.1), loss="mse")
    return model


def gan_generator_model(seed: int = 0, names: Sequence[str] | None = None) -> keras.Model:
    """The GAN's multi-input multi-output generator in Keras (GAN paper, section 3.4 and appendix A).

    Inputs: the history of MSEs (batch, HISTORY), shared, and per hyperparameter its own noise (batch, PATHWAY_NOISE).
    Outputs: per hyperparameter one raw number (batch, 1), which the sampler scales to the unit cube. Weights as
    `GanSampler(seed=seed)` has them.

    Parameters
    ----------
    seed : int
    names : sequence of str, optional
        Names of the hyperparameters; default `helpers.space.HYPERPARAMETERS`.
    """
    import keras

    from helpers.space import HYPERPARAMETERS

    names = tuple(names or HYPERPARAMETERS)
    history = keras.Input((HISTORY,), name="mse_history")
    noises, outputs = [], []
    for name in names:
        noise = keras.Input((PATHWAY_NOISE,), name=f"{name}_noise")
        x = keras.layers.Concatenate(name=f"{name}_inputs")([history, noise])
        for i, units in enumerate(PATHWAY_HIDDEN):
            x = keras.layers.Dense(units, activation="relu", name=f"{name}_dense_{i + 1}")(x)
        noises.append(noise)
        outputs.append(keras.layers.Dense(1, name=name)(x))
    model = keras.Model([history, *noises], outputs, name="gan_generator")
    weights = gan_generator_weights(seed, len(names))
    for pathway, name in enumerate(names):
        layers = [*(f"{name}_dense_{i + 1}" for i in range(len(PATHWAY_HIDDEN))), name]
        for i, layer in enumerate(layers):
            model.get_layer(layer).set_weights([weights[2 * i][pathway], weights[2 * i + 1][pathway, 0]])
    return model


def discriminator_model(seed: int = 0, inputs: int = 6) -> keras.Sequential:
    """The discriminator in Keras (GAN paper, section 3.6): dense ReLU layers, sigmoid, binary cross-entropy.

    Input (batch, inputs): points of the unit cube, before rounding. Output (batch, 1): the probability of being real.
    """
    import keras

    model = keras.Sequential([keras.Input((inputs,), name="hyperparameters")], name="discriminator")
    for i, units in enumerate(DISCRIMINATOR_HIDDEN):
        model.add(keras.layers.Dense(units, activation="relu", name=f"dense_{i + 1}"))
    model.add(keras.layers.Dense(1, activation="sigmoid", name="real"))
    model.set_weights(discriminator_weights(seed, inputs))
    model.compile(optimizer=keras.optimizers.Adam(DISCRIMINATOR_RATE), loss="binary_crossentropy")
    return model
