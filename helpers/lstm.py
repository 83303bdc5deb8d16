"""The papers' LSTM as a Keras model, and its parts for the architecture diagrams.

Generator paper, table 4 and section 3.3.2; GAN paper, section 3.5.2: Input (sequence_length, 1), then per layer an LSTM
and a Dropout, then Dense(1); Adam, mean squared error. TensorFlow is imported on first use, so that modules which only
tune do not wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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

    seeds = iter(range(1000 * seed, 1000 * seed + 1000))
    model = keras.Sequential([keras.Input((config.sequence_length, features))])
    for layer in range(config.layers):
        model.add(
            keras.layers.LSTM(
                config.units,
                return_sequences=layer < config.layers - 1,
                kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
                recurrent_initializer=keras.initializers.Orthogonal(seed=next(seeds)),
                name=f"lstm_{layer + 1}",
            )
        )
        model.add(keras.layers.Dropout(config.dropout_rate, seed=next(seeds), name=f"dropout_{layer + 1}"))
    model.add(keras.layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(next(seeds)), name="close"))
    model.compile(optimizer=keras.optimizers.Adam(config.learning_rate), loss="mse")
    return model
