"""The papers' LSTM as a Keras model, and its parts for the architecture diagrams.

Generator paper, table 4 and section 3.3.2; GAN paper, section 3.5.2: Input (sequence_length, 1), then per layer an LSTM
and a Dropout, then Dense(1); Adam, mean squared error. TensorFlow is imported on first use, so that modules which only
tune do not wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from helpers.space import LstmConfig

if TYPE_CHECKING:
    import keras

EPOCHS = 10  # both papers fix it: generator paper, section 3.2; GAN paper, section 3.2


def build(config: LstmConfig, *, seed: int, features: int = 1) -> keras.Sequential:
    """The compiled model of `config`.

    Parameters
    ----------
    config : LstmConfig
    seed : int
        Seeds the initial weights and the dropout masks; no global state is touched.
    features : int
        Values per time step; the papers use 1, the close.

    Returns
    -------
    keras.Sequential
        Input of shape (batch, sequence_length, features), output of shape (batch, 1).
    """
    import keras

    model = keras.Sequential([keras.Input((config.sequence_length, features))])
    for layer in range(config.layers):
        kernel, recurrent, dropout = _seeds(seed, layer)
        model.add(
            keras.layers.LSTM(
                config.units,
                return_sequences=layer < config.layers - 1,
                kernel_initializer=keras.initializers.GlorotUniform(kernel),
                recurrent_initializer=keras.initializers.Orthogonal(seed=recurrent),
                name=f"lstm_{layer + 1}",
            )
        )
        model.add(keras.layers.Dropout(config.dropout_rate, seed=dropout, name=f"dropout_{layer + 1}"))
    head, _, _ = _seeds(seed, config.layers)
    model.add(keras.layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(head), name="close"))
    model.compile(optimizer=keras.optimizers.Adam(config.learning_rate), loss="mse")
    return model


def initial_weights(config: LstmConfig, *, seed: int, features: int = 1) -> list[np.ndarray]:
    """The weights that `build(config, seed=seed)` starts from, without building it: as its `get_weights()`, float32.

    The same initialisers with the same seeds, biases zero but the forget gates' one, as Keras has them. Building takes
    Keras about 30 ms a layer, and training a small network less.
    """
    import keras

    units, weights = config.units, []
    for layer in range(config.layers):
        kernel, recurrent, _ = _seeds(seed, layer)
        inputs = units if layer else features
        bias = np.zeros(4 * units, np.float32)
        bias[units : 2 * units] = 1.0
        weights += [
            np.asarray(keras.initializers.GlorotUniform(kernel)((inputs, 4 * units))),
            np.asarray(keras.initializers.Orthogonal(seed=recurrent)((units, 4 * units))),
            bias,
        ]
    head, _, _ = _seeds(seed, config.layers)
    return [*weights, np.asarray(keras.initializers.GlorotUniform(head)((units, 1))), np.zeros(1, np.float32)]


def _seeds(seed: int, layer: int) -> tuple[int, int, int]:
    """Seeds of a layer's kernel, its recurrent kernel and its dropout; the output layer counts as one more."""
    first = 1000 * seed + 3 * layer
    return first, first + 1, first + 2
