"""Training of the papers' LSTM: one door, two engines.

`engine="keras"` is the reference: Keras's own `fit`, which defines what training means here. `engine="fast"` does the
same arithmetic (`lstm_kernels`) with 16 windows of a batch in one register and the whole epoch in one compiled call: on
a CPU, Keras spends nearly all its time between the small operations of a narrow LSTM. Both start from the weights of
the Keras model, see the same windows in the same order, and leave the trained weights in the model. Without dropout
they differ by rounding alone; their dropout masks come from different generators. `engine="auto"` takes Keras where
TensorFlow sees a GPU, where cuDNN does this work, and the fast engine elsewhere. A GPU is many times faster with wide
networks and large batches; narrow ones in small batches leave it waiting for its next kernel, and one core with
`engine="fast"` is faster.

The fast engine needs no model, only weights: `lstm.initial_weights` gives those that the model would start from, and
saves the building, which takes longer than training a small network. Large batches can be shared by `threads`; results
do not depend on their number, to the last bit.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from helpers.space import LstmConfig

if TYPE_CHECKING:
    import keras

ENGINES = ("auto", "fast", "keras")
SHARED_FLOP = 2e6  # least work of a batch that is worth a second thread, operations: about 0.03 ms
SHARED_TRAINING = 1e10  # the same of a training, about 0.2 s: the system takes its time to spread new threads
TILES_BYTES = 1 << 19  # of gradients that a thread keeps: half of a core's second cache
log = logging.getLogger(__name__)

# Numba's threads serve one caller at a time. A second `fit` in another thread of this process goes without.
_threads_in_use = threading.Lock()


class Diverged(RuntimeError):
    """The training loss became NaN or infinite."""


@dataclass(frozen=True)
class FitResult:
    """What training did.

    Attributes
    ----------
    losses : numpy.ndarray, shape (epochs,)
        Mean squared error over the training windows while they were learnt, with dropout, scaled units.
    seconds : float
        Wall time of the training alone.
    engine : str
        `"fast"` or `"keras"`.
    """

    losses: np.ndarray
    seconds: float
    engine: str


def choose_engine(engine: str) -> str:
    """`"fast"` or `"keras"` for `engine`, which may be `"auto"`.

    Raises
    ------
    ValueError
        For a name that is not in `ENGINES`.
    """
    if engine not in ENGINES:
        raise ValueError(f"Unknown engine {engine!r}; valid engines are {', '.join(ENGINES)}.")
    if engine != "auto":
        return engine
    import tensorflow as tf

    return "keras" if tf.config.list_physical_devices("GPU") else "fast"


def window_order(samples: int, epochs: int, seed: int) -> np.ndarray:
    """The order in which windows are seen, shape (epochs, samples): a new permutation an epoch, as `fit` shuffles."""
    rng = np.random.default_rng([seed, 0])
    return np.stack([rng.permutation(samples) for _ in range(epochs)])


def fit(
    model: keras.Sequential | list[np.ndarray],
    config: LstmConfig,
    x: np.ndarray,
    y: np.ndarray,
    *,
    epochs: int = 10,
    seed: int,
    engine: str = "auto",
    threads: int = 1,
) -> FitResult:
    """Train `model` in place with Adam on the mean squared error (generator paper, section 3.3.2).

    Parameters
    ----------
    model : keras.Sequential or list of numpy.ndarray
        From `lstm.build(config)`, or for the fast engine just the weights, from `lstm.initial_weights(config)`. Its
        present weights are the start, Adam's moments start at zero.
    config : LstmConfig
        Gives batch size, learning rate and dropout rate.
    x : numpy.ndarray, shape (samples, sequence_length, features)
    y : numpy.ndarray, shape (samples,)
    epochs : int
        Passes over the windows; both papers fix 10.
    seed : int
        Of the order of the windows and of the fast engine's dropout masks.
    engine : {"auto", "fast", "keras"}
    threads : int
        Of the fast engine, at most, and at most as many as Numba may use. More than one makes sense where nothing else
        runs: threads wait for one another, so that one delayed delays all. Keras has its own setting.

    Raises
    ------
    Diverged
        When the loss is no longer finite; the model's weights are then of no use.
    ValueError
        For an unknown engine, shapes that do not fit `config`, or weights alone where Keras needs a model.
    """
    engine = _engine_for(model, engine)
    x, y = _checked(config, x, y)
    if threads < 1:
        raise ValueError(f"threads must be at least 1, not {threads}.")
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1, not {epochs}.")
    order = window_order(len(x), epochs, seed)
    started = time.perf_counter()
    if engine == "keras":
        losses = np.array(list(_fit_keras(model, config, x, y, order)))
    else:
        losses = _fit_fast(model, config, x, y, order, seed, threads)
    seconds = time.perf_counter() - started
    if not np.isfinite(losses).all():
        raise Diverged(f"The training loss was no longer finite in epoch {len(losses)} of {epochs}.")
    return FitResult(losses, seconds, engine)


def predict(
    model: keras.Sequential | list[np.ndarray], config: LstmConfig, x: np.ndarray, *, engine: str = "auto"
) -> np.ndarray:
    """Forecasts of `model` for the windows `x` (samples, sequence_length, features): float32, shape (samples,)."""
    engine = _engine_for(model, engine)
    x, _ = _checked(config, x, np.zeros(len(x), np.float32))
    if engine == "keras":
        return model.predict(x, batch_size=1024, verbose=0)[:, 0]
    net, kernels = FastNet(config, x.shape[2]), _kernels()
    weights = net.pack(_weights(model))
    out = np.empty(len(x), np.float32)
    flat = x.reshape(len(x), -1)
    kernels.predict(net.shape, weights, flat, net.tapes, net.top, net.lane, net.dropout_states(0), out)
    return out


def _engine_for(model: keras.Sequential | list[np.ndarray], engine: str) -> str:
    engine = choose_engine(engine)
    if engine == "keras" and isinstance(model, list):
        raise ValueError("Keras needs a model, not weights alone: give lstm.build(config, seed=...), or engine='fast'.")
    return engine


def _weights(model: keras.Sequential | list[np.ndarray]) -> list[np.ndarray]:
    return model if isinstance(model, list) else model.get_weights()


def _checked(config: LstmConfig, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.ascontiguousarray(x, np.float32), np.ascontiguousarray(y, np.float32)
    if x.ndim != 3 or x.shape[1] != config.sequence_length or len(x) == 0:
        raise ValueError(f"x must have shape (samples, {config.sequence_length}, features), not {x.shape}.")
    if y.shape != (len(x),):
        raise ValueError(f"y must have shape ({len(x)},), not {y.shape}.")
    return x, y


def _fit_keras(model, config, x, y, order):
    """Losses epoch by epoch. A given order instead of `fit`'s own shuffling makes both engines see the same batches."""
    import keras

    model.compile(optimizer=keras.optimizers.Adam(config.learning_rate), loss="mse")
    for windows in order:
        history = model.fit(x[windows], y[windows], batch_size=config.batch_size, shuffle=False, verbose=0)
        loss = history.history["loss"][0]
        yield loss
        if not np.isfinite(loss):
            return


def _fit_fast(model, config, x, y, order, seed, threads):
    """Losses of the epochs, up to the first that is not finite; the weights return to the model at the end."""
    import numba

    from helpers.simd import WIDTH

    kernels, available = _kernels(), numba.config.NUMBA_NUM_THREADS
    threads = min(threads, available, -(-config.batch_size // WIDTH))
    work = _work(config, x.shape[2])
    worth = work * config.batch_size > SHARED_FLOP and work * order.size > SHARED_TRAINING
    shared = threads > 1 and worth and _threads_in_use.acquire(blocking=False)
    before = numba.get_num_threads() if shared else 0
    try:
        if shared:
            numba.set_num_threads(threads)
        net = FastNet(config, x.shape[2], threads=threads if shared else 1)
        weights = net.pack(_weights(model))
        gradient, m, v = (np.zeros_like(weights) for _ in range(3))
        states, share, tiles, jump = net.dropout_states(seed), *net.sharing(config.batch_size, weights.size)
        flat, step, losses = x.reshape(len(x), -1), 0, []
        for windows in order:
            loss, step = kernels.train_epoch(
                net.shape, weights, gradient, m, v, step, flat, y, windows, config.batch_size, config.learning_rate,
                1.0 - config.dropout_rate, net.tapes, net.top, net.lane, tiles, states, share, jump
            )  # fmt: skip
            losses.append(loss)
            if not np.isfinite(loss):
                return np.array(losses)
    finally:
        if shared:
            numba.set_num_threads(before)
            _threads_in_use.release()
    trained = net.unpack(weights)
    if isinstance(model, list):
        model[:] = trained
    else:
        model.set_weights(trained)
    return np.array(losses)


def _work(config: LstmConfig, features: int) -> float:
    """Operations of one window's gradient: see `bench.flop`."""
    u = config.units
    step = sum(24 * u * (u + inputs) + 75 * u for inputs in [features] + [u] * (config.layers - 1))
    return float(step) * config.sequence_length


class FastNet:
    """Weights and scratch memory of one network in the layout of `lstm_kernels`.

    Parameters
    ----------
    config : LstmConfig
    features : int
        Values per time step.
    threads : int
        Each with scratch memory of its own.
    """

    def __init__(self, config: LstmConfig, features: int = 1, threads: int = 1) -> None:
        from helpers.simd import WIDTH, aligned

        layers, units, length = config.layers, config.units, config.sequence_length
        self.shape = (layers, units, features, length)
        self.inputs = [features if layer == 0 else units for layer in range(layers)]
        self.rows = [(units + inputs + 4) // 4 * 4 for inputs in self.inputs]
        steps = layers * length * units
        self.threads = threads
        self.tapes = tuple(
            aligned(threads * size, kind).reshape(threads, size)
            for size, kind in (
                ((length + 1) * WIDTH * sum(self.rows), np.float32),
                (steps * 4 * WIDTH, np.float32),
                ((steps + layers * units) * WIDTH, np.float32),
                (steps * WIDTH, np.float32),
                (steps, np.uint16),
                ((length + 1) * max(self.rows) * WIDTH, np.float32),
                (units * WIDTH, np.float32),
            )
        )
        start = 0
        for inputs, n in zip(self.inputs, self.rows, strict=True):
            size = (length + 1) * n * WIDTH
            block = self.tapes[0][:, start : start + size].reshape(threads, length + 1, n, WIDTH)
            block[:, :, units + inputs] = 1.0  # the row whose weight is the bias
            start += size
        self.top = aligned(threads * units * WIDTH).reshape(threads, units * WIDTH)
        self.lane = aligned(threads * WIDTH).reshape(threads, WIDTH)

    def pack(self, weights: list[np.ndarray]) -> np.ndarray:
        """Keras's weights in a row: kernel (inputs, 4 units), recurrent (units, 4 units), bias (4 units,); Dense.

        Raises
        ------
        ValueError
            If their shapes are not those of this network.
        """
        from helpers.simd import aligned

        units = self.shape[1]
        expected = [s for i in self.inputs for s in ((i, 4 * units), (units, 4 * units), (4 * units,))]
        expected += [(units, 1), (1,)]
        if [w.shape for w in weights] != expected:
            raise ValueError(f"The model's weights have shapes {[w.shape for w in weights]}, not {expected}.")
        blocks = []
        for layer, (inputs, n) in enumerate(zip(self.inputs, self.rows, strict=True)):
            kernel, recurrent, bias = weights[3 * layer : 3 * layer + 3]
            block = np.zeros((units, n, 4), np.float32)
            block[:, :units] = recurrent.reshape(units, 4, units).transpose(2, 0, 1)
            block[:, units : units + inputs] = kernel.reshape(inputs, 4, units).transpose(2, 0, 1)
            block[:, units + inputs] = bias.reshape(4, units).T
            blocks.append(block.ravel())
        flat = np.concatenate([*blocks, weights[-2].ravel(), weights[-1].ravel()])
        packed = aligned(flat.size)
        packed[:] = flat
        return packed

    def unpack(self, packed: np.ndarray) -> list[np.ndarray]:
        """The inverse of `pack`."""
        units = self.shape[1]
        weights, start = [], 0
        for inputs, n in zip(self.inputs, self.rows, strict=True):
            block = packed[start : start + units * n * 4].reshape(units, n, 4)
            start += block.size
            weights += [
                block[:, units : units + inputs].transpose(1, 2, 0).reshape(inputs, 4 * units).copy(),
                block[:, :units].transpose(1, 2, 0).reshape(units, 4 * units).copy(),
                block[:, units + inputs].T.ravel().copy(),
            ]
        return [*weights, packed[start : start + units].reshape(units, 1).copy(), packed[start + units :].copy()]

    def dropout_states(self, seed: int) -> np.ndarray:
        """Sixteen generators' words, none of them zero, in the first of `threads` rows: shape (threads, 64), uint32."""
        states = np.zeros((self.threads, 64), np.uint32)
        states[0] = np.random.default_rng([seed, 1]).integers(1, 2**32, 64, dtype=np.uint32)
        return states

    def sharing(self, batch_size: int, weights: int) -> tuple[int, np.ndarray, np.ndarray]:
        """How threads share a batch: (chunks of a thread at a time, 0 for one thread; tiles; jump).

        `tiles`, shape (threads - 1, addends x weights), holds the gradients of all threads but the first; `jump` is
        what the dropout masks of a share do to the generators, see `simd.leap`.
        """
        from helpers.lstm_kernels import tile_of
        from helpers.simd import WIDTH, jump

        if self.threads == 1:
            return 0, np.zeros((0, 0), np.float32), jump(0)
        layers, units, _, length = self.shape
        addends = -(-length // tile_of(units))  # of a chunk
        chunks = -(-batch_size // WIDTH)
        most = max(1, TILES_BYTES // (4 * addends * weights))
        rounds = -(-chunks // (self.threads * most))
        share = -(-chunks // (self.threads * rounds))
        tiles = np.zeros((self.threads - 1, share * addends * weights), np.float32)
        return share, tiles, jump(share * ((layers - 1) * length * units + units))


def _kernels():
    """The compiled kernels. Compiling happens once a machine and version of the code, and is announced."""
    from helpers import lstm_kernels, simd

    cache = Path(lstm_kernels.train_epoch.stats.cache_path)
    indexes = list(cache.glob("lstm_kernels.*.nbi"))
    # Numba looks for changes in the module of a function only, not in those it imports.
    changed = Path(simd.__file__).stat().st_mtime
    stale = [index for index in indexes if index.stat().st_mtime < changed]
    for index in stale:
        index.unlink(missing_ok=True)
    if not lstm_kernels.train_epoch.signatures and len(indexes) == len(stale):
        log.warning("Compiling the fast engine for this processor: about ten seconds, once.")
    return lstm_kernels
