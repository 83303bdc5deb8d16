import io
import itertools
import xml.etree.ElementTree as ElementTree

import pytest

from helpers import diagrams, lstm
from helpers.figures import style
from helpers.space import LstmConfig


def svg(fig):
    buffer = io.BytesIO()
    with style():
        fig.savefig(buffer, format="svg", metadata={"Date": None})
    return ElementTree.fromstring(buffer.getvalue())


def texts(fig):
    return [text.get_text() for ax in fig.axes for text in ax.texts]


def inside(fig):
    """Every text and box lies within the figure."""
    fig.draw_without_rendering()
    renderer = fig.canvas.get_renderer()
    page = fig.bbox
    for ax in fig.axes:
        for artist in [*ax.texts, *ax.patches, *ax.lines]:
            extent = artist.get_window_extent(renderer)
            assert page.x0 - 1 <= extent.x0 and extent.x1 <= page.x1 + 1, artist
            assert page.y0 - 1 <= extent.y0 and extent.y1 <= page.y1 + 1, artist
    return True


def overlaps(fig):
    """Pairs of texts that cover one another."""
    fig.draw_without_rendering()
    renderer = fig.canvas.get_renderer()
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for ax in fig.axes for t in ax.texts if t.get_text()]
    return [
        (a, b)
        for i, (a, one) in enumerate(boxes)
        for b, other in boxes[i + 1 :]
        if min(one.x1, other.x1) - max(one.x0, other.x0) > 1 and min(one.y1, other.y1) - max(one.y0, other.y0) > 2
    ]


def arrows(fig):
    from matplotlib.patches import FancyArrowPatch

    return [patch for ax in fig.axes for patch in ax.patches if isinstance(patch, FancyArrowPatch)]


@pytest.fixture(scope="module")
def small():
    return lstm.build(LstmConfig(2, 3, 1e-3, 32, 7, 0.2), seed=0)


@pytest.fixture(scope="module")
def pathways():
    import keras

    history = keras.Input((5,), name="history")
    noises, outputs = [], []
    for name in ("units", "learning_rate"):
        noise = keras.Input((2,), name=f"{name}_noise")
        joined = keras.layers.Concatenate(name=f"{name}_inputs")([history, noise])
        hidden = keras.layers.Dense(4, activation="relu", name=f"{name}_dense")(joined)
        noises.append(noise)
        outputs.append(keras.layers.Dense(1, activation="sigmoid", name=name)(hidden))
    return keras.Model([history, *noises], outputs, name="two_pathways")


def test_cell_shows_every_equation_gate_and_line():
    fig = diagrams.lstm_cell()
    said = texts(fig)
    assert all(equation in said for equation in diagrams.EQUATIONS) and len(diagrams.EQUATIONS) == 6
    assert (said.count("σ"), said.count("tanh"), said.count("×"), said.count("+")) == (3, 2, 3, 1)
    assert {"$C_{t-1}$", "$C_t$", "$h_{t-1}$", "$h_t$"} <= set(said)
    assert inside(fig) and not overlaps(fig)


@pytest.mark.parametrize(
    ("which", "parts"),
    [
        ("generator", {"Input", "Generator", "Scaling", "LSTM", "Evaluation", "Feedback", "After 20 iterations"}),
        ("gan", {"Generator", "Discriminator", "Shown as real", "Shown as fake", "LSTM", "Evaluation"}),
    ],
)
def test_loops(which, parts):
    fig = diagrams.tuner_loop(which)
    assert parts <= set(texts(fig))
    assert len(arrows(fig)) >= len(parts)  # a loop has at least as many arrows as stations
    assert inside(fig) and not overlaps(fig)


def test_unknown_loop():
    with pytest.raises(ValueError, match="Unknown tuner 'bayesian'; valid tuners are generator, gan"):
        diagrams.tuner_loop("bayesian")


def test_layers_of_the_papers_lstm(small):
    found = diagrams.layers(small)
    assert [layer.kind for layer in found] == ["Input", "LSTM", "Dropout", "LSTM", "Dropout", "Dense"]
    assert [layer.shape for layer in found] == [(7, 1), (7, 3), (7, 3), (3,), (3,), (1,)]
    # An LSTM of u units over i inputs has 4 u (u + i + 1) parameters.
    assert [layer.parameters for layer in found] == [0, 60, 0, 84, 0, 4]
    assert [layer.detail for layer in found][1:5] == ["every step", "rate 0.2", "last step", "rate 0.2"]
    assert all(later.parents == (earlier.name,) for earlier, later in itertools.pairwise(found))


def test_network_draws_every_layer_of_a_chain(small):
    fig = diagrams.network(small)
    drawn = {element.get("id") for element in svg(fig).iter()}
    assert {layer.name for layer in small.layers} <= drawn
    said = texts(fig)
    assert {layer.name for layer in small.layers} <= set(said)
    assert {"LSTM 3, tanh, every step", "Dropout, rate 0.2", "Dense 1, linear", "(7, 3)", "84"} <= set(said)
    assert any("148 parameters" in text for text in said)
    assert len(arrows(fig)) == 5
    assert inside(fig) and not overlaps(fig)


def test_network_draws_every_layer_and_connection_of_pathways(pathways):
    fig = diagrams.network(pathways, title="Two")
    drawn = {element.get("id") for element in svg(fig).iter()}
    assert {layer.name for layer in pathways.layers} <= drawn
    connections = sum(len(layer.parents) for layer in diagrams.layers(pathways))
    assert len(arrows(fig)) == connections == 8
    said = texts(fig)
    assert {"units", "learning_rate"} <= set(said) and said.count("dense") == 2
    assert inside(fig) and not overlaps(fig)


def test_the_tuners_own_networks_fit_on_the_page():
    from helpers.samplers import networks

    for model in (networks.generator_model(), networks.gan_generator_model(), networks.discriminator_model()):
        fig = diagrams.network(model)
        drawn = {element.get("id") for element in svg(fig).iter()}
        assert {layer.name for layer in model.layers} <= drawn
        assert fig.get_size_inches()[0] <= 7.5
        assert inside(fig) and not overlaps(fig)


def test_deepest_lstm_fits():
    model = lstm.build(LstmConfig(10, 10, 1e-5, 16, 250, 0.9), seed=0)
    fig = diagrams.network(model)
    assert inside(fig) and not overlaps(fig)
    assert len(arrows(fig)) == 21


def test_layer_table(small):
    table = diagrams.layer_table(small)
    assert table["Parameters"].sum() == small.count_params()
    assert table.loc[1].tolist() == ["lstm_1", "LSTM, every step", "3", "tanh", "(7, 3)", 60]


def test_a_model_that_is_not_built():
    import keras

    with pytest.raises(ValueError, match="'empty' is not built"):
        diagrams.network(keras.Sequential([keras.layers.Dense(2)], name="empty"))
