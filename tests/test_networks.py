"""The NumPy networks against Keras, and their gradients against finite differences."""

import numpy as np
import pytest

from helpers.samplers import networks as nn
from helpers.samplers.gan import scaled


@pytest.fixture(scope="module")
def keras():
    import keras

    return keras


def close(ours, theirs, atol=2e-5):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, np.asarray(b), rtol=2e-4, atol=atol)


def test_forward_by_hand():
    weights = (np.array([[1.0, -1.0]]), np.array([0.0, 1.0]), np.array([[2.0], [3.0]]), np.array([0.5]))
    out, inputs = nn.forward(weights, np.array([[2.0]]))
    # hidden: relu(2), relu(-2 + 1) = 2, 0; output 2 * 2 + 3 * 0 + 0.5
    assert out.tolist() == [[4.5]]
    assert inputs[1].tolist() == [[2.0, 0.0]]


@pytest.mark.parametrize("networks", [None, 3])
def test_gradients_are_the_finite_differences(networks):
    rng = np.random.default_rng(0)
    weights = nn.glorot(rng, (4, 5, 6, 2), networks)
    x = rng.normal(size=(7, 4) if networks is None else (networks, 7, 4))

    def loss(ws, at):
        return float((nn.forward(ws, at)[0] ** 2).sum())

    out, inputs = nn.forward(weights, x)
    gradients, d_x = nn.backward(weights, inputs, 2 * out)
    for which, gradient in [*enumerate(gradients), ("x", d_x)]:
        array = x if which == "x" else weights[which]
        assert gradient.shape == array.shape
        index = tuple(rng.integers(n) for n in array.shape)
        differences = []
        for h in (1e-6, -1e-6):
            moved = array.copy()
            moved[index] += h
            ws = weights if which == "x" else tuple(moved if i == which else w for i, w in enumerate(weights))
            differences.append(loss(ws, moved if which == "x" else x))
        np.testing.assert_allclose(gradient[index], (differences[0] - differences[1]) / 2e-6, rtol=1e-4, atol=1e-6)


def test_initial_weights_are_glorot_uniform():
    kernel, bias, *_ = nn.glorot(np.random.default_rng(0), (200, 100, 1))
    limit = np.sqrt(6 / 300)
    assert kernel.shape == (200, 100) and not bias.any()
    assert 0.99 * limit < np.abs(kernel).max() <= limit
    assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.02)


def test_sigmoid_has_no_overflow():
    with np.errstate(over="raise"):
        np.testing.assert_allclose(nn.sigmoid(np.array([-1e4, 0.0, 1e4])), [0.0, 0.5, 1.0])


@pytest.mark.parametrize(("ours", "theirs"), [(nn.Adam(0.1), "Adam"), (nn.Adagrad(0.1), "Adagrad")])
def test_optimisers_are_keras(keras, ours, theirs):
    rng = np.random.default_rng(1)
    weights = nn.glorot(rng, (3, 4, 2))
    variables = [keras.Variable(w.astype("float32")) for w in weights]
    optimiser = getattr(keras.optimizers, theirs)(0.1)
    for step in range(5):
        gradients = tuple(rng.normal(size=w.shape) * 10.0 ** (step - 3) for w in weights)
        before = [w.copy() for w in weights]
        new, ours = ours.update(weights, gradients)
        close(before, weights, atol=0)  # the old weights are left alone
        weights = new
        optimiser.apply([keras.ops.convert_to_tensor(g.astype("float32")) for g in gradients], variables)
        close(weights, variables)


def test_generator_is_keras_over_several_steps(keras):
    """Forward pass, gradients and Adam steps of the paper's network on the paper's loss."""
    import tensorflow as tf

    model = nn.generator_model(seed=3)
    assert [layer.units for layer in model.layers] == [64, 128, 256, 7]
    assert [layer.activation.__name__ for layer in model.layers] == ["relu", "relu", "relu", "linear"]
    assert model.input_shape == (None, 11)
    assert type(model.optimizer).__name__ == "Adam" and float(model.optimizer.learning_rate) == pytest.approx(0.1)
    weights, adam = nn.generator_weights(3), nn.Adam(0.1)
    # beyond the first steps of 0.1 the outputs are in the hundreds and float32 is not comparable with float64
    adam, model.optimizer.learning_rate = nn.Adam(0.001), 0.001
    rng = np.random.default_rng(0)
    for value in (0.01, 0.002, 0.03):
        x = rng.normal(0, 0.1, (1, 11))
        raw, inputs = nn.forward(weights, x)
        gradients, _ = nn.backward(weights, inputs, 2 * (raw - value) / raw.size)
        with tf.GradientTape() as tape:
            out = model(x.astype("float32"))
            loss = tf.reduce_mean((out - value) ** 2)
        theirs = tape.gradient(loss, model.trainable_variables)
        close([raw], [out])
        close(gradients, theirs, atol=1e-6)
        model.optimizer.apply(theirs, model.trainable_variables)
        weights, adam = adam.update(weights, gradients)
        close(weights, model.get_weights(), atol=2e-4)


@pytest.mark.parametrize("scaling", ["tanh", "sigmoid"])
def test_gan_generator_and_discriminator_are_keras(keras, scaling):
    import tensorflow as tf

    rng = np.random.default_rng(0)
    generator, judge = nn.gan_generator_model(seed=5), nn.discriminator_model(seed=5)
    weights, judging = nn.gan_generator_weights(5), nn.discriminator_weights(5)
    history = rng.normal(size=(8, nn.HISTORY))
    noise = rng.normal(size=(6, 8, nn.PATHWAY_NOISE))
    x = np.concatenate([np.broadcast_to(history, (6, *history.shape)), noise], axis=-1)
    raw, inputs = nn.forward(weights, x)
    u, steepness = scaled(raw[..., 0].T, scaling)
    logit, activations = nn.forward(judging, u)
    slope = nn.backward(judging, activations, (nn.sigmoid(logit) - 1) / len(u))[1]
    gradients, _ = nn.backward(weights, inputs, (slope * steepness).T[..., None])

    with tf.GradientTape() as tape:
        outputs = tf.concat(generator([history.astype("float32"), *noise.astype("float32")]), axis=1)
        points = tf.sigmoid(outputs) if scaling == "sigmoid" else tf.abs(tf.tanh(outputs))
        probability = judge(points)
        loss = -tf.reduce_mean(tf.math.log(probability))
    close([u], [points])
    close([nn.sigmoid(logit)], [probability])
    theirs = dict(
        zip(
            [v.path for v in generator.trainable_variables],
            tape.gradient(loss, generator.trainable_variables),
            strict=True,
        )
    )
    for pathway, name in enumerate(generator.output_names):
        close([gradients[-2][pathway]], [theirs[f"{name}/kernel"]], atol=1e-6)
        close([gradients[0][pathway]], [theirs[f"{name}_dense_1/kernel"]], atol=1e-6)
    assert len(generator.inputs) == 7 and len(generator.outputs) == 6


def test_discriminator_step_is_keras(keras):
    rng = np.random.default_rng(2)
    model = nn.discriminator_model(seed=1)
    weights, adam = nn.discriminator_weights(1), nn.Adam(nn.DISCRIMINATOR_RATE)
    for _ in range(3):
        x, labels = rng.random((16, 6)), rng.integers(0, 2, (16, 1)).astype(float)
        logit, inputs = nn.forward(weights, x)
        gradients, _ = nn.backward(weights, inputs, (nn.sigmoid(logit) - labels) / len(x))
        weights, adam = adam.update(weights, gradients)
        model.train_on_batch(x.astype("float32"), labels.astype("float32"))
        close(weights, model.get_weights(), atol=5e-4)
