"""The fast engine does what Keras does: same gradients, same weights, same forecasts; and it says when it cannot."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import platform
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import lstm, lstm_kernels, training
from helpers.simd import WIDTH, aligned
from helpers.space import LstmConfig


def config(layers=2, units=3, learning_rate=1e-2, batch_size=16, sequence_length=5, dropout_rate=0.0) -> LstmConfig:
    return LstmConfig(layers, units, learning_rate, batch_size, sequence_length, dropout_rate)


def windows(samples: int, length: int, features: int = 1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(seed).random((samples, length, features), dtype=np.float32)
    return x, x.mean((1, 2))


def difference(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    """Relative distance of two lists of weights: |a - b| / |b|, all weights as one vector."""
    a, b = (np.concatenate([w.ravel() for w in weights]) for weights in (a, b))
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def train(c: LstmConfig, x, y, *, engine: str, epochs: int = 2, seed: int = 7):
    model = lstm.build(c, seed=3, features=x.shape[2])
    return model, training.fit(model, c, x, y, epochs=epochs, seed=seed, engine=engine)


@settings(max_examples=6, deadline=None)
@given(
    layers=st.integers(1, 4),
    units=st.integers(1, 9),
    length=st.integers(1, 12),
    batch_size=st.sampled_from([5, 16, 32, 64]),
    samples=st.integers(20, 90),
    features=st.integers(1, 3),
)
def test_fifty_updates_equal_keras(layers, units, length, batch_size, samples, features) -> None:
    c = config(layers, units, 1e-3, batch_size, length)
    x, y = windows(samples, length, features)
    epochs = max(1, 50 // -(-samples // batch_size))
    slow, reference = train(c, x, y, engine="keras", epochs=epochs)
    fast, result = train(c, x, y, engine="fast", epochs=epochs)
    assert difference(fast.get_weights(), slow.get_weights()) < 1e-4
    np.testing.assert_allclose(result.losses, reference.losses, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("dropout_rate", [0.0, 0.4])
@pytest.mark.parametrize(("layers", "units", "length"), [(1, 1, 1), (3, 4, 6), (2, 17, 9), (10, 2, 5)])
def test_gradient_equals_keras_in_float64(layers, units, length, dropout_rate) -> None:
    """Keras in float64 with the very dropout masks that the fast engine drew gives the gradient to float32 rounding."""
    import keras
    import tensorflow as tf

    c = config(layers, units, 1e-3, WIDTH, length, dropout_rate)
    samples = 13  # three lanes stay empty
    x, y = windows(samples, length)
    weights = lstm.build(c, seed=1).get_weights()
    net = training.FastNet(c)
    packed, gradient = net.pack(weights), aligned(net.pack(weights).size)
    threshold = np.uint32((1 - dropout_rate) * 2**32) if dropout_rate else np.uint32(0)
    scale, order = np.float32(1 / (1 - dropout_rate)), np.arange(samples)
    lane = aligned(WIDTH)
    one_chunk(net, packed, x, y, order, threshold, scale, gradient, lane)

    bits = net.tapes[4][0].reshape(layers, length, units)
    masks = (bits[..., None] >> np.arange(samples, dtype=np.uint16) & 1).transpose(0, 3, 1, 2)  # layer, window, t, unit

    hidden = inputs = keras.Input((length, 1), dtype="float64")
    given_masks = [keras.Input((length, units), dtype="float64") for _ in range(layers)]
    for layer in range(layers):
        last = layer == layers - 1
        hidden = keras.layers.LSTM(units, return_sequences=not last, dtype="float64")(hidden)
        if dropout_rate:
            mask = given_masks[layer][:, 0] if last else given_masks[layer]
            hidden = hidden * mask / (1 - dropout_rate)
    model = keras.Model([inputs, *given_masks], keras.layers.Dense(1, dtype="float64")(hidden))
    model.set_weights(weights)
    with tf.GradientTape() as tape:
        predicted = model([x.astype(float), *[m.astype(float) for m in masks]])[:, 0]
        loss = tf.reduce_mean((predicted - y.astype(float)) ** 2)
    expected = [g.numpy() for g in tape.gradient(loss, model.trainable_variables)]

    np.testing.assert_allclose(lane_forecast(net, packed, x, order, threshold, scale), predicted, rtol=2e-5, atol=1e-6)
    assert difference(net.unpack(gradient), expected) < 2e-5


def one_chunk(net, packed, x, y, order, threshold, scale, gradient, lane) -> None:
    """Forward and backward pass of one chunk of at most 16 windows, as `train_epoch` does them."""

    @numba.njit
    def run(shape, w, x, y, order, tape, top, state, threshold, scale, gradient, lane):
        store(lane, 0, forward(shape, w, x, order, 0, order.size, tape, top, state, threshold, scale))
        for k in range(16):
            lane[k] = np.float32(2) * (lane[k] - y[k]) / np.float32(order.size) if k < order.size else np.float32(0)
        backward(shape, w, gradient, 0, load(lane, 0), tape, top, threshold, scale, 4)

    from helpers.simd import load, store

    forward, backward = lstm_kernels.chunk_forward, lstm_kernels.chunk_backward
    state, tape = net.dropout_states(5)[0], tuple(array[0] for array in net.tapes)
    flat = x.reshape(len(x), -1)
    run(net.shape, packed, flat, y, order, tape, net.top[0], state, threshold, scale, gradient, lane)


def lane_forecast(net, packed, x, order, threshold, scale) -> np.ndarray:

    from helpers.simd import store

    forward = lstm_kernels.chunk_forward

    @numba.njit
    def run(shape, w, x, order, tape, top, state, threshold, scale, lane):
        store(lane, 0, forward(shape, w, x, order, 0, order.size, tape, top, state, threshold, scale))

    lane = aligned(WIDTH)
    state, tape = net.dropout_states(5)[0], tuple(array[0] for array in net.tapes)
    run(net.shape, packed, x.reshape(len(x), -1), order, tape, net.top[0], state, threshold, scale, lane)
    return lane[: len(x)]


def test_dropout_keeps_its_share() -> None:

    from helpers.simd import draw

    @numba.njit
    def count(state, threshold, n):
        kept = np.zeros(16)
        for _ in range(n):
            bits = draw(state, 0, threshold)
            for k in range(16):
                kept[k] += (bits >> k) & 1
        return kept / n

    n = 200_000
    for keep in (0.1, 0.5, 0.9):
        share = count(training.FastNet(config()).dropout_states(0)[0], np.uint32(keep * 2**32), n)
        assert np.abs(share - keep).max() < 5 * np.sqrt(keep * (1 - keep) / n)  # every lane within five standard errors


def test_forecasts_equal_keras_for_a_last_partial_chunk() -> None:
    c = config(3, 5, sequence_length=8)
    x, _ = windows(37, 8)
    model = lstm.build(c, seed=0)
    np.testing.assert_allclose(
        training.predict(model, c, x, engine="fast"),
        training.predict(model, c, x, engine="keras"),
        rtol=1e-5,
        atol=1e-6,
    )


@settings(max_examples=12, deadline=None)
@given(
    layers=st.integers(1, 3),
    units=st.integers(1, 9),
    length=st.integers(1, 60),
    batch_size=st.integers(17, 300),
    samples=st.integers(20, 400),
    dropout_rate=st.sampled_from([0.0, 0.3]),
    kept=st.sampled_from([1 << 10, 1 << 19]),
)
def test_threads_change_no_bit(layers, units, length, batch_size, samples, dropout_rate, kept) -> None:
    c = config(layers, units, 1e-2, batch_size, length, dropout_rate)
    x, y = windows(samples, length)
    trained = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "SHARED_FLOP", 0.0)
        patch.setattr(training, "SHARED_TRAINING", 0.0)
        patch.setattr(training, "TILES_BYTES", kept)  # the smaller one forces several rounds a batch
        losses = {}
        for threads in (1, 2):
            trained[threads] = lstm.initial_weights(c, seed=3)
            with watched() as shares:
                result = training.fit(trained[threads], c, x, y, epochs=2, seed=7, engine="fast", threads=threads)
            losses[threads] = result.losses
            assert (shares[0] > 0) == (threads == 2)  # the threads did share the batches
    assert all(np.array_equal(a, b) for a, b in zip(trained[1], trained[2], strict=True))
    assert np.array_equal(losses[1], losses[2])


def test_a_training_leaves_numbas_threads_as_they_were(monkeypatch):
    monkeypatch.setattr(training, "SHARED_FLOP", 0.0)
    monkeypatch.setattr(training, "SHARED_TRAINING", 0.0)
    c, (x, y), before = config(batch_size=64), windows(200, 5), numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        with watched() as shares:
            training.fit(lstm.initial_weights(c, seed=0), c, x, y, epochs=1, seed=0, engine="fast", threads=2)
        assert shares[0] > 0 and numba.get_num_threads() == 1
    finally:
        numba.set_num_threads(before)


@contextlib.contextmanager
def watched():
    """Collects the shares (chunks of a thread at a time) that trainings take."""
    shares, sharing = [], training.FastNet.sharing

    def noted(self, *arguments):
        found = sharing(self, *arguments)
        shares.append(found[0])
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.FastNet, "sharing", noted)
        yield shares


def test_small_trainings_are_not_shared(monkeypatch) -> None:
    x, y = windows(64, 5)
    with watched() as shares:
        training.fit(
            lstm.initial_weights(config(), seed=0), config(batch_size=64), x, y, seed=0, engine="fast", threads=2
        )
    assert shares == [0]


@pytest.mark.parametrize("draws", [0, 1, 2, 63, 100_000])
def test_a_jump_equals_so_many_draws(draws: int) -> None:

    from helpers import simd

    @numba.njit
    def draw_all(state, n):
        for _ in range(n):
            simd.draw(state, 0, numba.uint32(1))

    one_by_one, jumped = (training.FastNet(config()).dropout_states(4)[0] for _ in range(2))
    draw_all(one_by_one, draws)
    simd.leap(jumped, simd.jump(draws))
    assert np.array_equal(one_by_one, jumped)


@pytest.mark.parametrize(("layers", "units", "features"), [(1, 1, 1), (3, 7, 2), (2, 50, 1)])
def test_initial_weights_are_those_of_the_model(layers, units, features) -> None:
    c = config(layers, units)
    model, weights = lstm.build(c, seed=11, features=features), lstm.initial_weights(c, seed=11, features=features)
    for a, b in zip(model.get_weights(), weights, strict=True):
        assert a.dtype == b.dtype and np.array_equal(a, b)


def test_weights_alone_train_like_the_model() -> None:
    c, (x, y) = config(2, 4, dropout_rate=0.2), windows(90, 5)
    model, weights = lstm.build(c, seed=3), lstm.initial_weights(c, seed=3)
    for network in (model, weights):
        training.fit(network, c, x, y, epochs=2, seed=7, engine="fast")
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), weights, strict=True))
    forecasts = [training.predict(network, c, x, engine="fast") for network in (model, weights)]
    assert np.array_equal(*forecasts)


def test_same_seed_is_bit_equal_alone_and_beside_another_trial() -> None:
    c = config(2, 6, 1e-2, 32, 20, 0.3)
    x, y = windows(500, 20)
    alone, _ = train(c, x, y, engine="fast", epochs=5)
    with ThreadPoolExecutor(2) as pool:
        beside, other = pool.map(lambda seed: train(c, x, y, engine="fast", epochs=5, seed=seed)[0], [7, 8])
    assert all(np.array_equal(a, b) for a, b in zip(alone.get_weights(), beside.get_weights(), strict=True))
    assert difference(other.get_weights(), alone.get_weights()) > 0


@pytest.mark.parametrize("engine", ["fast", "keras"])
def test_learning_lowers_the_loss(engine: str) -> None:
    x, y = windows(320, 4)
    _, result = train(config(1, 8, 1e-2, 16, 4, 0.1), x, y, engine=engine, epochs=6)
    assert result.engine == engine
    assert result.losses.shape == (6,)
    assert result.losses[-1] < result.losses[0] / 3


@pytest.mark.parametrize("engine", ["fast", "keras"])
def test_divergence_is_an_error_of_its_own(engine: str) -> None:
    x, y = windows(64, 4)
    with pytest.raises(training.Diverged, match="no longer finite in epoch 1 of 3"):
        train(config(1, 2, learning_rate=1e30, sequence_length=4), x, y, engine=engine, epochs=3)


def test_ten_layers_at_the_highest_learning_rate_do_not_crash() -> None:
    c = config(10, 10, 0.1, 16, 30, 0.9)
    x, y = windows(64, 30)
    try:
        _, result = train(c, x, y, engine="fast", epochs=3)
        assert np.isfinite(result.losses).all()
    except training.Diverged:
        pass


def test_nan_in_the_windows_is_divergence() -> None:
    x, y = windows(64, 4)
    x[5, 2] = np.nan
    with pytest.raises(training.Diverged):
        train(config(1, 2, sequence_length=4), x, y, engine="fast")


def test_numbers_below_the_normal_ones_are_zero_in_the_kernels_alone() -> None:
    """On x86-64; other processors are left as they are, and there the same products are kept."""
    from helpers.simd import flush_denormals, restore

    @numba.njit
    def products(a, b):
        control = flush_denormals()
        inside = a[0] * b[0]  # from arrays: nothing for the compiler to compute beforehand
        restore(control)
        return inside, a[1] * b[1]

    a, b = np.full(2, 1e-30, np.float32), np.full(2, 1e-10, np.float32)
    kept = np.float32(1e-30) * np.float32(1e-10)
    assert 0 < kept < np.finfo(np.float32).smallest_normal
    flushed = platform.machine().lower() in ("x86_64", "amd64")
    assert products(a, b) == (0.0 if flushed else kept, kept)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("target", [0.5, math.nan])
def test_training_and_forecasts_leave_numpys_small_numbers_alone(threads: int, target: float, monkeypatch) -> None:
    monkeypatch.setattr(training, "SHARED_FLOP", 0.0)
    monkeypatch.setattr(training, "SHARED_TRAINING", 0.0)
    c = config(2, 4, 1e-2, 64, 5, 0.2)
    weights = lstm.initial_weights(c, seed=0)
    x, y = np.zeros((96, 5, 1), np.float32), np.full(96, target, np.float32)
    with contextlib.suppress(training.Diverged):
        training.fit(weights, c, x, y, epochs=1, seed=0, engine="fast", threads=threads)
    training.predict(weights, c, x, engine="fast")
    assert (np.full(100, 1e-30, np.float32) * np.float32(1e-10) > 0).all()


def test_weights_survive_packing() -> None:
    weights = lstm.build(config(3, 5), seed=2, features=2).get_weights()
    net = training.FastNet(config(3, 5), features=2)
    assert all(np.array_equal(a, b) for a, b in zip(net.unpack(net.pack(weights)), weights, strict=True))


def test_the_order_is_a_new_permutation_every_epoch() -> None:
    order = training.window_order(50, 3, seed=1)
    assert [sorted(epoch) for epoch in order.tolist()] == [list(range(50))] * 3
    assert not np.array_equal(order[0], order[1])
    assert np.array_equal(order, training.window_order(50, 3, seed=1))


def test_bad_input_is_refused_in_one_sentence() -> None:
    c, model = config(), lstm.build(config(), seed=0)
    x, y = windows(20, 5)
    with pytest.raises(ValueError, match="Unknown engine 'gpu'; valid engines are auto, fast, keras"):
        training.fit(model, c, x, y, seed=0, engine="gpu")
    with pytest.raises(ValueError, match=r"x must have shape \(samples, 5, features\), not \(20, 4, 1\)"):
        training.fit(model, c, x[:, 1:], y, seed=0, engine="fast")
    with pytest.raises(ValueError, match=r"y must have shape \(20,\), not \(19,\)"):
        training.fit(model, c, x, y[1:], seed=0, engine="fast")
    with pytest.raises(ValueError, match="epochs must be at least 1"):
        training.fit(model, c, x, y, seed=0, epochs=0, engine="fast")
    with pytest.raises(ValueError, match="threads must be at least 1, not 0"):
        training.fit(model, c, x, y, seed=0, engine="fast", threads=0)
    with pytest.raises(ValueError, match=r"Keras needs a model, not weights alone: give lstm.build"):
        training.fit(model.get_weights(), c, x, y, seed=0, engine="keras")
    with pytest.raises(ValueError, match="The model's weights have shapes"):
        training.fit(lstm.build(config(layers=3), seed=0), c, x, y, seed=0, engine="fast")


def test_first_use_is_told(caplog, monkeypatch, tmp_path) -> None:
    """Compiling takes seconds: whoever waits for it is told, and nobody else."""

    class Kernels:
        class train_epoch:
            signatures = ()
            stats = type("Stats", (), {"cache_path": str(tmp_path)})

    monkeypatch.setattr("helpers.lstm_kernels.train_epoch", Kernels.train_epoch)
    with caplog.at_level(logging.WARNING):
        training._kernels()
    assert "Compiling the fast engine" in caplog.text
    caplog.clear()
    (tmp_path / "lstm_kernels.train_epoch-1.py311.nbi").touch()
    with caplog.at_level(logging.WARNING):
        training._kernels()
    assert not caplog.text


@pytest.mark.parametrize("dropout_rate", [0.2, 0.8])
def test_both_engines_drop_the_share_that_the_configuration_says(dropout_rate):
    """E (pred - y)^2 under dropout, weights standing still: (sum w h - y)^2 + sum (w h)^2 rate / (1 - rate)."""
    c = LstmConfig(1, 8, 1e-12, 64, 3, dropout_rate)
    x = np.ones((4096, 3, 1), np.float32)
    weights = lstm.initial_weights(c, seed=0)
    bare = replace(c, dropout_rate=0.0)
    each = []
    for u in range(8):  # what unit u adds to the forecast
        one = [w.copy() for w in weights]
        one[-2][np.arange(8) != u] = 0.0
        each.append(float(training.predict(one, bare, x[:1], engine="fast")[0]))
    each = np.array(each)
    expected = each.sum() ** 2 + (each**2).sum() * dropout_rate / (1 - dropout_rate)
    for engine in ("fast", "keras"):
        model = lstm.build(c, seed=0)
        found = training.fit(model, c, x, np.zeros(4096, np.float32), epochs=1, seed=0, engine=engine).losses[0]
        assert found == pytest.approx(expected, rel=0.15), engine


def test_the_order_of_windows_and_the_masks_follow_the_seed():
    assert not np.array_equal(training.window_order(50, 1, seed=1), training.window_order(50, 1, seed=2))
    net = training.FastNet(LstmConfig(1, 2, 0.1, 16, 3, 0.1))
    assert not np.array_equal(net.dropout_states(1), net.dropout_states(2))


@given(
    units=st.integers(1, 12),
    inputs=st.integers(1, 12),
    length=st.integers(1, 9),
    start=st.integers(0, 3),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=25, deadline=None)
def test_wide_and_narrow_registers_give_the_same_bits(units, inputs, length, start, seed) -> None:
    """Processors differ in how many sums their registers hold; results must not."""
    rng = np.random.default_rng(seed)
    n_rows = (units + inputs + 4) // 4 * 4

    def numbers(size):
        array = aligned(size)
        array[:] = rng.normal(0.0, 0.7, size)
        return array

    w, before = numbers(units * n_rows * 4), numbers(units * n_rows * 4)
    rows, cells = numbers((length + 1) * n_rows * WIDTH), numbers((length + 1) * units * WIDTH)
    found = []
    for wide in (True, False):
        own, cell, tanh_cell = (a.copy() for a in (rows, cells, cells[units * WIDTH :]))
        gates, grad = aligned(length * units * 4 * WIDTH), before.copy()
        lstm_kernels.forward_layer(wide, w, units, inputs, n_rows, length, own, gates, cell, tanh_cell)
        lstm_kernels.weight_gradient(wide, grad, units, n_rows, min(start, length), length, own, gates)
        found.append([a.tobytes() for a in (own, gates, cell, tanh_cell, grad)])
    assert found[0] == found[1]
    # One weight of the last unit's last gate by hand: h or x of every step and window times that gate.
    steps = slice(min(start, length), length)
    values = np.frombuffer(found[0][1], np.float32).reshape(length, units, 4, WIDTH)[steps, -1, 3]
    left = np.frombuffer(found[0][0], np.float32).reshape(length + 1, n_rows, WIDTH)[:-1][steps, 0]
    expected = before.reshape(units, n_rows, 4)[-1, 0, 3] + np.sum(left.astype(float) * values)
    assert np.frombuffer(found[0][4], np.float32).reshape(units, n_rows, 4)[-1, 0, 3] == pytest.approx(
        expected, abs=1e-4
    )


@pytest.mark.parametrize(
    ("features", "name", "wide"),
    [("+avx,+avx2,+avx512f", "", True), ("+avx,+avx2,-avx512f", "", False), ("", "", False), (None, "generic", False)],
)
def test_registers_are_as_wide_as_the_kernels_are_compiled_for(features, name, wide, monkeypatch) -> None:
    from llvmlite import binding

    from helpers import simd

    monkeypatch.setattr(numba.config, "CPU_FEATURES", features)
    monkeypatch.setattr(numba.config, "CPU_NAME", name)
    assert simd._wide() is wide
    monkeypatch.setattr(numba.config, "CPU_FEATURES", None)
    monkeypatch.setattr(numba.config, "CPU_NAME", None)
    assert simd._wide() is binding.get_host_cpu_features().get("avx512f", False)


def test_kernels_compiled_with_an_older_module_are_not_used(tmp_path, monkeypatch):
    """Numba asks for the age of the kernels' own file alone."""

    class Kernel:
        signatures = ()
        stats = type("Stats", (), {"cache_path": str(tmp_path)})

    monkeypatch.setattr("helpers.lstm_kernels.train_epoch", Kernel)
    old, new = (tmp_path / f"lstm_kernels.{n}-1.py311.nbi" for n in ("a", "b"))
    for path in (old, new):
        path.touch()
    os.utime(old, (0, 0))
    training._kernels()
    assert not old.exists() and new.exists()
