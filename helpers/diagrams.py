"""Diagrams drawn by code: the LSTM cell, the two tuners' loops, and any built Keras model, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from helpers.figures import Figure, new, style

if TYPE_CHECKING:
    import keras

_INK = "#1A1A1A"
_FILLS = {
    "input": "#E8E8E8",
    "network": "#CFE0EE",
    "step": "#F7F7F7",
    "result": "#F2D9B8",
    "decision": "#FFF3C4",
    "real": "#D5EBDD",
    "fake": "#F3D6D2",
}

EQUATIONS = (
    r"$f_t = \sigma(W_f \cdot [h_{t-1}, x_t] + b_f)$",
    r"$i_t = \sigma(W_i \cdot [h_{t-1}, x_t] + b_i)$",
    r"$\tilde{C}_t = \tanh(W_C \cdot [h_{t-1}, x_t] + b_C)$",
    r"$C_t = f_t \odot C_{t-1} + i_t \odot \tilde{C}_t$",
    r"$o_t = \sigma(W_o \cdot [h_{t-1}, x_t] + b_o)$",
    r"$h_t = o_t \odot \tanh(C_t)$",
)


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure whose axes count inches from the lower left corner."""
    fig, ax = new(width, height)
    fig.set_layout_engine("none")
    ax.set_position((0, 0, 1, 1))
    ax.set_xlim(0, width)
    ax.set_ylim(0, height)
    ax.set_axis_off()
    return fig, ax


def _arrow(ax: Axes, *points: tuple[float, float], head: bool = True, **options: Any) -> None:
    """A line through `points`, with an arrow head at its end."""
    options = {"color": _INK, "lw": 1.3, **options}
    xs, ys = zip(*points, strict=True)
    if len(points) > 2 or not head:
        ax.plot(xs if not head else xs[:-1], ys if not head else ys[:-1], solid_joinstyle="round", zorder=1, **options)
    if head:
        ax.add_patch(
            FancyArrowPatch(
                points[-2], points[-1], arrowstyle="-|>", mutation_scale=10, shrinkA=0, shrinkB=0, **options
            )
        )


def _box(
    ax: Axes, x: float, y: float, width: float, height: float, text: str, *, fill: str, size: float = 9.0, gid: str = ""
) -> None:
    """A box centred at (x, y); the first line of `text` is bold where more follow after a blank line."""
    patch = FancyBboxPatch(
        (x - width / 2, y - height / 2), width, height, boxstyle="round,pad=0,rounding_size=0.06",
        fc=_FILLS[fill], ec=_INK, lw=0.9, zorder=2, gid=gid or None,
    )  # fmt: skip
    ax.add_patch(patch)
    head, _, body = text.partition("\n\n")
    options = {"ha": "center", "va": "center", "zorder": 3, "linespacing": 1.25}
    if not body:
        ax.text(x, y, head, fontsize=size, **options)
        return
    line = size * 1.25 / 72  # inches
    heads, bodies = head.count("\n") + 1, body.count("\n") + 1
    total = (heads + bodies) * line
    ax.text(x, y + total / 2 - heads * line / 2, head, fontsize=size, fontweight="bold", **options)
    ax.text(x, y - total / 2 + bodies * line / 2, body, fontsize=size, **options)


def lstm_cell() -> Figure:
    """An LSTM cell with its three gates, and equations (1) to (6) (generator paper, figure 1; GAN paper, figure 5).

    Every arrow carries the symbol of an equation below it; the number of the equation stands where it is computed.
    """
    top, bottom, floor = 4.75, 2.35, 2.95  # the cell state's line, the hidden state's line, the gates
    gates = {2.0: ("σ", "$f_t$", "(1)"), 3.1: ("σ", "$i_t$", "(2)"), 4.2: ("tanh", r"$\tilde{C}_t$", "(3)")}
    gates[5.3] = ("σ", "$o_t$", "(5)")
    with style():
        fig, ax = _canvas(7.4, 5.35)
        ax.add_patch(
            FancyBboxPatch(
                (1.15, 2.0), 5.25, 3.1, boxstyle="round,pad=0,rounding_size=0.15", fc="#FAFAF5", ec="#999999"
            )
        )
        _arrow(ax, (0.35, top), (7.05, top), lw=2.2)
        _arrow(ax, (0.35, bottom), (5.3, bottom), (5.3, floor - 0.19), lw=1.6)
        for x in list(gates)[:3]:
            _arrow(ax, (x, bottom), (x, floor - 0.19))
        _arrow(ax, (1.5, 1.55), (1.5, bottom), head=False, lw=1.6)
        ax.add_patch(Circle((1.5, bottom), 0.045, fc=_INK, zorder=3))
        ax.text(1.56, 1.62, "$x_t$  close of day $t$", fontsize=10, va="center")
        ax.text(1.22, bottom + 0.16, "$[h_{t-1}, x_t]$", fontsize=9, ha="left")
        # From the gates to the cell state: forget, input times candidate, output.
        _arrow(ax, (2.0, floor + 0.19), (2.0, top - 0.15))
        _arrow(ax, (3.1, floor + 0.19), (3.1, 3.85), (4.05, 3.85))
        _arrow(ax, (4.2, floor + 0.19), (4.2, 3.7))
        _arrow(ax, (4.2, 4.0), (4.2, top - 0.15))
        _arrow(ax, (5.3, floor + 0.19), (5.3, 3.5), (5.8, 3.5))
        _arrow(ax, (5.95, top), (5.95, 4.3))
        _arrow(ax, (5.95, 3.98), (5.95, 3.65))
        _arrow(ax, (5.95, 3.35), (5.95, bottom), (7.05, bottom), lw=1.6)
        for x, (function, symbol, equation) in gates.items():
            _box(ax, x, floor, 0.62, 0.38, function, fill="network", size=11)
            ax.text(x + 0.08, floor + 0.36, symbol, fontsize=11, va="center")
            ax.text(x - 0.08, floor + 0.36, equation, fontsize=8.5, va="center", ha="right", color="#555555")
        _box(ax, 5.95, 4.14, 0.62, 0.32, "tanh", fill="result", size=10)
        for x, y, sign in ((2.0, top, "×"), (4.2, 3.85, "×"), (4.2, top, "+"), (5.95, 3.5, "×")):
            ax.add_patch(Circle((x, y), 0.15, fc=_FILLS["result"], ec=_INK, lw=0.9, zorder=3))
            ax.text(x, y - 0.008, sign, fontsize=13, ha="center", va="center", zorder=4)
        ax.text(4.4, top + 0.17, "(4)", fontsize=8.5, color="#555555", va="center")
        ax.text(6.15, 3.5, "(6)", fontsize=8.5, color="#555555", va="center")
        for x, y, text in (
            (0.3, top, "$C_{t-1}$"), (7.05, top, "$C_t$"), (0.3, bottom, "$h_{t-1}$"), (7.05, bottom, "$h_t$"),
        ):  # fmt: skip
            ax.text(x, y + 0.2, text, fontsize=12, ha="left" if x < 1 else "right", va="center")
        names = ("forget gate", "input gate", "candidate", "cell state", "output gate", "hidden state, output")
        for k, (equation, name) in enumerate(zip(EQUATIONS, names, strict=True)):
            x, y = 0.35 + 3.55 * (k // 3), 1.12 - 0.37 * (k % 3)
            ax.text(x, y, f"({k + 1})", fontsize=9, color="#555555", va="center")
            ax.text(x + 0.3, y, equation, fontsize=10.5, va="center")
            ax.text(x + 3.35, y, name, fontsize=8, color="#555555", va="center", ha="right")
        return fig


def tuner_loop(which: str) -> Figure:
    """The loop of a tuner: `"generator"` (generator paper, figure 5) or `"gan"` (GAN paper, figure 4).

    Raises
    ------
    ValueError
        For any other name.
    """
    loops = {"generator": _generator_loop, "gan": _gan_loop}
    if which not in loops:
        raise ValueError(f"Unknown tuner {which!r}; valid tuners are {', '.join(loops)}.")
    with style():
        return loops[which]()


def _generator_loop() -> Figure:
    fig, ax = _canvas(7.0, 4.1)
    left, middle, right, upper, lower, width, height = 1.2, 3.5, 5.8, 3.35, 1.85, 1.9, 0.95
    _box(ax, left, upper, width, height, "Input\n\nten values of noise and\nthe last MSE, transformed", fill="input")
    _box(ax, middle, upper, width, height, "Generator\n\n11 → 64 → 128 → 256 → 7\nReLU, linear output", fill="network")
    _box(ax, right, upper, width, height, "Scaling\n\nraw outputs to values\nof the search space", fill="step")
    _box(ax, right, lower, width, height, "LSTM\n\nbuilt as configured,\ntrained for 10 epochs", fill="network")
    _box(ax, middle, lower, width, height, "Evaluation\n\nMSE on the test part;\ntime, memory", fill="result")
    _box(ax, left, lower, width, height, "Feedback\n\nloss from the MSE; one\nstep of Adam, rate 0.1", fill="step")
    _box(ax, middle, 0.55, 2.6, 0.72, "After 20 iterations\n\nthe configuration with the least MSE", fill="decision")
    half, up = width / 2, height / 2
    _arrow(ax, (left + half, upper), (middle - half, upper))
    _arrow(ax, (middle + half, upper), (right - half, upper))
    _arrow(ax, (right, upper - up), (right, lower + up))
    _arrow(ax, (right - half, lower), (middle + half, lower))
    _arrow(ax, (middle - half, lower), (left + half, lower))
    _arrow(ax, (middle, lower - up), (middle, 0.55 + 0.36))
    _arrow(ax, (left - 0.35, lower + up), (left - 0.35, upper - up))
    _arrow(ax, (left + 0.5, lower + up), (left + 0.5, 2.6), (middle, 2.6), (middle, upper - up))
    for x, y, text, align in (
        (left - 0.28, 2.6, "MSE", "left"),
        (middle - 0.1, 2.71, "new weights", "right"),
        (right + 0.08, 2.6, "configuration", "left"),
    ):
        ax.text(x, y, text, fontsize=8.5, ha=align, va="center", style="italic")
    return fig


def _gan_loop() -> Figure:
    fig, ax = _canvas(7.2, 5.6)
    left, middle, right, width, height = 1.25, 3.6, 5.95, 1.95, 0.95
    rows = (4.95, 3.45, 1.95, 0.5)
    _box(ax, left, rows[0], width, height, "Input\n\nhistory of MSEs; noise\nfor each hyperparameter", fill="input")
    _box(ax, middle, rows[0], width, height, "Generator\n\none pathway for each\nhyperparameter", fill="network")
    _box(
        ax,
        right,
        rows[0],
        width,
        height,
        "Configuration\n\npoint of the unit cube,\nscaled; never a repeat",
        fill="step",
    )
    _box(ax, right, rows[1], width, height, "LSTM\n\nbuilt as configured,\ntrained for 10 epochs", fill="network")
    _box(ax, right, rows[2], width, height, "Evaluation\n\nMSE on the test part;\nCPU, memory, time", fill="result")
    _box(ax, middle, rows[1], width, height, "Discriminator\n\nis the point real?\nReLU, then sigmoid", fill="network")
    _box(ax, left, rows[1], width, height, "Generator's loss\n\ncalled fake, MSE,\ndiversity; Adagrad", fill="step")
    _box(
        ax,
        middle,
        rows[2],
        width,
        height,
        "Shown as real\n\nthe best so far; random\nones when quality falls",
        fill="real",
    )
    _box(ax, left, rows[2], width, height, "Shown as fake\n\nrandom\nconfigurations", fill="fake")
    _box(ax, right, rows[3], width, 0.72, "After 20 iterations\n\nthe least MSE wins", fill="decision")
    half, up = width / 2, height / 2
    _arrow(ax, (left + half, rows[0]), (middle - half, rows[0]))
    _arrow(ax, (middle + half, rows[0]), (right - half, rows[0]))
    _arrow(ax, (right, rows[0] - up), (right, rows[1] + up))
    _arrow(ax, (right, rows[1] - up), (right, rows[2] + up))
    _arrow(ax, (right - half, rows[2]), (middle + half, rows[2]))
    _arrow(ax, (right, rows[2] - up), (right, rows[3] + 0.36))
    _arrow(ax, (middle, rows[2] + up), (middle, rows[1] - up))
    _arrow(ax, (left, rows[2] + up), (left, 2.7), (middle - 0.4, 2.7), (middle - 0.4, rows[1] - up))
    _arrow(ax, (middle, rows[0] - up), (middle, rows[1] + up))
    _arrow(ax, (middle - half, rows[1]), (left + half, rows[1]))
    _arrow(ax, (left + 0.4, rows[1] + up), (left + 0.4, 4.2), (middle - 0.45, 4.2), (middle - 0.45, rows[0] - up))
    # The history of trials feeds the generator's input and its loss.
    edge = 0.12
    fed, floor = rows[2] - 0.3, rows[3] + 0.1
    _arrow(ax, (right - half, fed), (4.78, fed), (4.78, floor), (edge, floor), (edge, rows[0]), (left - half, rows[0]))
    _arrow(ax, (edge, rows[1]), (left - half, rows[1]))
    for x, y, text, align in (
        (2.45, rows[3] + 0.22, "history of configurations and their MSEs", "center"),
        (middle + 0.07, 4.2, "points", "left"),
        (middle - 0.52, 4.31, "new weights", "right"),
        (4.77, rows[2] + 0.12, "best", "center"),
        (right + 0.07, 4.2, "hyperparameters", "left"),
    ):
        ax.text(x, y, text, fontsize=8.5, ha=align, va="center", style="italic")
    return fig


@dataclass(frozen=True)
class Layer:
    """One layer of a built model.

    Attributes
    ----------
    name, kind : str
        Keras' name of the layer, and its class.
    units : int or None
    activation : str
        Empty where the layer has none.
    detail : str
        What else defines it: dropout rate, whether sequences are returned.
    shape : tuple
        Output shape without the batch.
    parameters : int
    parents : tuple of str
        Names of the layers whose output it takes.
    """

    name: str
    kind: str
    units: int | None
    activation: str
    detail: str
    shape: tuple[int, ...]
    parameters: int
    parents: tuple[str, ...]


def layers(model: keras.Model) -> list[Layer]:
    """The layers of a built Keras model with their connections, inputs first, in the order of the model.

    Raises
    ------
    ValueError
        If the model has not been built: then it has no shapes and no graph.
    """
    if not model.layers or not model.built or not getattr(model, "inputs", None):
        raise ValueError(f"The model {model.name!r} is not built: it has no shapes and no graph to draw.")
    inputs = {tensor._keras_history.operation.name: tensor._keras_history.operation for tensor in model.inputs}
    operations = {**inputs, **{layer.name: layer for layer in model.layers}}
    return [_layer(operation, set(operations)) for operation in operations.values()]


def _layer(operation: Any, known: set[str]) -> Layer:
    parents: list[str] = []
    for node in operation._inbound_nodes:
        for tensor in node.input_tensors:
            name = tensor._keras_history.operation.name
            if name in known and name not in parents:
                parents.append(name)
    detail = ""
    if hasattr(operation, "return_sequences"):
        detail = "every step" if operation.return_sequences else "last step"
    elif hasattr(operation, "rate"):
        detail = f"rate {operation.rate:g}"
    activation = getattr(operation, "activation", None)
    return Layer(
        name=operation.name,
        kind={"InputLayer": "Input"}.get(type(operation).__name__, type(operation).__name__),
        units=getattr(operation, "units", None),
        activation=getattr(activation, "__name__", "") if activation else "",
        detail=detail,
        shape=tuple(operation.output.shape[1:]),
        parameters=operation.count_params(),
        parents=tuple(parents),
    )


def layer_table(model: keras.Model) -> pd.DataFrame:
    """The layers of a built model as a table (generator paper, tables 3 and 4).

    Columns: Layer, Kind, Units, Activation, Output shape, Parameters, all as text but the last.
    """
    rows = [
        (
            layer.name,
            f"{layer.kind}, {layer.detail}" if layer.detail else layer.kind,
            "–" if layer.units is None else str(layer.units),
            layer.activation or "–",
            _shape(layer.shape),
            layer.parameters,
        )
        for layer in layers(model)
    ]
    return pd.DataFrame(rows, columns=["Layer", "Kind", "Units", "Activation", "Output shape", "Parameters"])


def _shape(shape: Sequence[int]) -> str:
    return f"({', '.join(str(n) for n in shape)})"


def _does(layer: Layer) -> str:
    kind = layer.kind if layer.units is None else f"{layer.kind} {layer.units}"
    return ", ".join(part for part in (kind, layer.activation, layer.detail) if part)


def _described(layer: Layer) -> tuple[str, str]:
    """What a layer does, and what leaves it, with its number of parameters where it has any."""
    shape = _shape(layer.shape)
    return _does(layer), f"{shape} · {layer.parameters:,}" if layer.parameters else shape


def network(model: keras.Model, *, title: str = "") -> Figure:
    """A built Keras model, drawn from its graph (generator paper, figure 6 and table 4; GAN paper, appendix A).

    A chain of layers is drawn from top to bottom, parallel pathways as rows from left to right, inputs that several
    pathways share as one tall box. Every box holds the layer's name, what it does, its output shape without the batch,
    and its number of parameters. A box's SVG id is the layer's name.

    Parameters
    ----------
    model : keras.Model
        Sequential or functional.
    title : str
        By default the model's name.

    Raises
    ------
    ValueError
        If the model has not been built.
    """
    drawn = layers(model)
    heading = f"{title or model.name}: {model.count_params():,} parameters"
    children = {layer.name: [other.name for other in drawn if layer.name in other.parents] for layer in drawn}
    chain = all(len(layer.parents) <= 1 and len(children[layer.name]) <= 1 for layer in drawn)
    with style():
        return _chain(drawn, heading) if chain else _pathways(drawn, children, heading)


def _fill(layer: Layer, last: bool) -> str:
    if layer.kind == "Input":
        return "input"
    if last:
        return "result"
    return "network" if layer.parameters else "step"


def _chain(drawn: list[Layer], heading: str) -> Figure:
    step, box, width = 0.6, 0.4, 6.4
    columns = ((0.25, "left"), (2.2, "left"), (4.8, "center"), (width - 0.25, "right"))
    height = 0.75 + step * len(drawn)
    fig, ax = _canvas(width, height)
    ax.text(0.1, height - 0.2, heading, fontsize=10.5, fontweight="bold", va="center")

    def write(y: float, words: Sequence[str], *, bold: bool, **options: Any) -> None:
        for (x, align), text in zip(columns, words, strict=True):
            weight = "bold" if bold and x == columns[0][0] else "normal"
            ax.text(x, y, text, ha=align, va="center", fontweight=weight, zorder=3, **options)

    write(
        height - 0.55,
        ("layer", "what it does", "output shape", "parameters"),
        bold=False,
        fontsize=8.5,
        color="#555555",
    )
    for row, layer in enumerate(drawn):
        y = height - 0.65 - step * (row + 0.5)
        _box(ax, width / 2, y, width - 0.2, box, "", fill=_fill(layer, row == len(drawn) - 1), gid=layer.name)
        words = (layer.name, _does(layer), _shape(layer.shape), f"{layer.parameters:,}")
        write(y, words, bold=True, fontsize=9.5)
        if row:
            _arrow(ax, (width / 2, y + step - box / 2), (width / 2, y + box / 2))
    return fig


def _pathways(drawn: list[Layer], children: dict[str, list[str]], heading: str) -> Figure:
    by_name = {layer.name: layer for layer in drawn}
    shared = [layer.name for layer in drawn if not layer.parents and len(children[layer.name]) > 1]
    rows = _components([layer for layer in drawn if layer.name not in shared])
    depth: dict[str, int] = {}

    def deep(name: str) -> int:
        if name not in depth:
            depth[name] = 1 + max((deep(p) for p in by_name[name].parents if p not in shared), default=0)
        return depth[name]

    columns = max((deep(name) for row in rows for name in row), default=0)
    # A row is as high as its widest layer of boxes.
    lanes = [max(sum(deep(n) == d for n in row) for d in range(1, columns + 1)) for row in rows]
    lane, box_height, width = 0.78, 0.44, 7.4
    left = 0.05 + (1.05 if shared else 0)
    step = (width - left - 0.05) / columns
    box_width = step - 0.2
    height = 0.45 + lane * sum(lanes)
    fig, ax = _canvas(width, height)
    ax.text(0.1, height - 0.18, heading, fontsize=10.5, fontweight="bold", va="center")
    place: dict[str, tuple[float, float]] = {}
    top = height - 0.4
    for row, count in zip(rows, lanes, strict=True):
        prefix = _prefix(row)
        if prefix:
            ax.text(left + 0.1, top - 0.1, prefix, fontsize=8.5, fontweight="bold", va="center", color="#333333")
        seen: dict[int, int] = {}
        for name in row:
            layer, column = by_name[name], deep(name)
            k = seen[column] = seen.get(column, 0) + 1
            x, y = left + step * (column - 0.5), top - 0.46 - lane * (k - 1)
            place[name] = (x, y)
            does, leaves = _described(layer)
            short = name.removeprefix(prefix + "_") if prefix and name != prefix else name
            text = f"{short}\n\n{does}\n{leaves}" if short != prefix else f"output\n\n{does}\n{leaves}"
            _box(ax, x, y, box_width, box_height, text, fill=_fill(layer, not children[name]), size=7, gid=name)
        top -= lane * count
    middle = 0.05 + lane * sum(lanes) / 2
    for k, name in enumerate(shared):
        tall = (lane * sum(lanes) - 0.1) / len(shared)
        y = middle + (len(shared) - 1) * tall / 2 - k * tall
        text = "\n".join([*name.split("_"), "", *_described(by_name[name])])
        _box(ax, 0.53, y, 0.9, tall - 0.06, text, fill="input", size=7.5, gid=name)
    for layer in drawn:
        for parent in layer.parents:
            x, y = place[layer.name]
            if parent in shared:  # above the pathway's own input, into the upper part of the box
                edge, turn, over, into = x - box_width / 2, x - box_width / 2 - 0.07, y + 0.29, y + 0.12
                _arrow(ax, (0.98, over), (turn, over), (turn, into), (edge, into), lw=0.9)
            else:
                px, py = place[parent]
                _arrow(ax, (px + box_width / 2, py), (x - box_width / 2, y), lw=0.9)
    return fig


def _components(drawn: list[Layer]) -> list[list[str]]:
    """Names of connected layers, in the order of the model."""
    names = [layer.name for layer in drawn]
    group = {name: name for name in names}

    def root(name: str) -> str:
        while group[name] != name:
            name = group[name]
        return name

    for layer in drawn:
        for parent in layer.parents:
            if parent in group:
                group[root(layer.name)] = root(parent)
    components: dict[str, list[str]] = {}
    for name in names:
        components.setdefault(root(name), []).append(name)
    return list(components.values())


def _prefix(row: list[str]) -> str:
    """The name that all layers of a pathway begin with ("units" of "units_noise", "units_dense_1", "units")."""
    parts = [name.split("_") for name in row]
    common = []
    for words in zip(*parts, strict=False):
        if len(set(words)) > 1:
            break
        common.append(words[0])
    return "_".join(common) if len(row) > 1 else ""
