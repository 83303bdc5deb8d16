"""Forward and backward pass of the papers' LSTM on 16 windows at once, and Adam: the arithmetic of the fast engine.

Equations (1) to (6) of the generator paper (section 2.3), for unit u at time t, with z the sums before the activations:

    i = sigma(z_i)   f = sigma(z_f)   g = tanh(z_g)   o = sigma(z_o)        (2) (1) (3) (5)
    c_t = f c_{t-1} + i g                                                  (4)
    h_t = o tanh(c_t)                                                      (6)

Backward through time, with dh and dc the derivatives of the loss by h_t and c_t:

    dc  += dh o (1 - tanh(c_t)^2)
    dz_o = dh tanh(c_t) o (1 - o)      dz_i = dc g i (1 - i)
    dz_f = dc c_{t-1} f (1 - f)        dz_g = dc i (1 - g^2)
    dc_{t-1} = dc f                    d[h_{t-1}, x_t] = W dz              dW = sum over t and windows of [h, x, 1] dz

A layer's weights W lie as (unit, row, gate), gates in Keras's order i, f, g (its c), o; the rows are the `units` hidden
values of t-1, the `inputs` values of x_t, one row of ones whose weight is the bias, and zero rows up to a multiple of
four. So four rows of one unit are 16 neighbouring numbers: one register's worth of gradient.

What the forward pass keeps for the backward pass is the tape, one flat array a kind and a layer, in units of 16 lanes:
`rows` (length + 1, R): [h_{t-1}, x_t, 1, 0...]; `gates` (length, units, 4), overwritten by dz on the way back; `cell`
(length + 1, units) and `tanh_cell` (length, units). Positions in the code count floats, 16 to a lane group.
"""

from __future__ import annotations

import numba
import numpy as np
from numba import uint32

from helpers.simd import (
    WIDE,
    WIDTH,
    at,
    borrow,
    clip,
    draw,
    fill,
    flush_denormals,
    fma,
    keep,
    leap,
    load,
    restore,
    store,
    sums,
    total,
)

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy", "boundscheck": False}
_INLINE = {**_OPTIONS, "forceinline": True}

# tanh(x) = x P(x^2) / Q(x^2) on [-9, 9], where float32 reaches 1: degrees 4 and 4, least maximum relative error 2.1e-8,
# found by iteratively reweighted least squares; 3.3e-7 with rounding. sigma(x) = 1/2 + tanh(x/2)/2 shares it.
_P = (1.0, 0.1338101625442505, 0.0034955767914652824, 2.060889710264746e-05, 1.3354412686794603e-08)
_Q = (1.0, 0.46714332699775696, 0.025876939296722412, 0.00032856164034456015, 7.776454822305823e-07)
_P0, _P1, _P2, _P3, _P4 = (np.float32(v) for v in _P)
_Q0, _Q1, _Q2, _Q3, _Q4 = (np.float32(v) for v in _Q)
_S0, _S1, _S2, _S3, _S4 = (np.float32(v / 4.0 ** (k + 1)) for k, v in enumerate(_P))
_R0, _R1, _R2, _R3, _R4 = (np.float32(v / 4.0**k) for k, v in enumerate(_Q))
_TANH_END, _SIGMOID_END = np.float32(9.0), np.float32(18.0)
_ONE, _HALF, _ZERO = np.float32(1.0), np.float32(0.5), np.float32(0.0)


@numba.njit(**_INLINE)
def _tanh_fraction(x):
    """Numerator and denominator of tanh(x)."""
    x = clip(x, fill(_TANH_END))
    s = x * x
    p = fma(s, fill(_P4), fill(_P3))
    p = fma(s, p, fill(_P2))
    p = fma(s, p, fill(_P1))
    p = fma(s, p, fill(_P0))
    q = fma(s, fill(_Q4), fill(_Q3))
    q = fma(s, q, fill(_Q2))
    q = fma(s, q, fill(_Q1))
    q = fma(s, q, fill(_Q0))
    return x * p, q


@numba.njit(**_INLINE)
def _sigmoid_fraction(x):
    """Numerator and denominator of sigma(x) - 1/2."""
    x = clip(x, fill(_SIGMOID_END))
    s = x * x
    p = fma(s, fill(_S4), fill(_S3))
    p = fma(s, p, fill(_S2))
    p = fma(s, p, fill(_S1))
    p = fma(s, p, fill(_S0))
    q = fma(s, fill(_R4), fill(_R3))
    q = fma(s, q, fill(_R2))
    q = fma(s, q, fill(_R1))
    q = fma(s, q, fill(_R0))
    return x * p, q


@numba.njit(**_INLINE)
def _activate(zi, zf, zg, zo):
    """(i, f, g, o) from their sums; the four divisions share one, since a division costs as much as ten products."""
    ni, qi = _sigmoid_fraction(zi)
    nf, qf = _sigmoid_fraction(zf)
    ng, qg = _tanh_fraction(zg)
    no, qo = _sigmoid_fraction(zo)
    qif = qi * qf
    qgo = qg * qo
    r = fill(_ONE) / (qif * qgo)
    rif = r * qgo
    rgo = r * qif
    half = fill(_HALF)
    return fma(ni, rif * qf, half), fma(nf, rif * qi, half), ng * (rgo * qo), fma(no, rgo * qg, half)


@numba.njit(**_INLINE)
def _tanh(x):
    n, q = _tanh_fraction(x)
    return n / q


@numba.njit(**_INLINE)
def _finish(zi, zf, zg, zo, u, rows, gates, cell, tanh_cell, next_h, this_c, next_c, gate, unit):
    """Equations (1) to (6) once the sums are known; returns h_t of unit u and stores what the way back needs."""
    i, f, g, o = _activate(zi, zf, zg, zo)
    c = fma(f, load(cell, this_c + u * WIDTH), i * g)
    tc = _tanh(c)
    h = o * tc
    p = gate + u * 4 * WIDTH
    store(gates, p, i)
    store(gates, p + WIDTH, f)
    store(gates, p + 2 * WIDTH, g)
    store(gates, p + 3 * WIDTH, o)
    store(cell, next_c + u * WIDTH, c)
    store(tanh_cell, unit + u * WIDTH, tc)
    store(rows, next_h + u * WIDTH, h)
    return h


@numba.njit(**_OPTIONS)
def forward_layer(wide, w, units, inputs, n_rows, length, rows, gates, cell, tanh_cell):
    """One layer over all time steps; h_t lands in row block t + 1 of `rows`.

    With `wide` registers two units are summed side by side: eight running sums hide the latency of a multiply-add and
    share a row's load. In narrower ones the four sums of one unit are as many registers. The result is the same to the
    last bit, for each sum adds the same numbers in the same order.
    """
    used = units + inputs
    for t in range(length):
        row0 = t * n_rows * WIDTH
        next_h = row0 + n_rows * WIDTH
        this_c = t * units * WIDTH
        next_c = this_c + units * WIDTH
        gate = this_c * 4
        u = 0
        while wide and u + 1 < units:
            a = u * n_rows * 4
            b = a + n_rows * 4
            bias = used * 4
            ai, af, ag, ao = at(w, a + bias), at(w, a + bias + 1), at(w, a + bias + 2), at(w, a + bias + 3)
            bi, bf, bg, bo = at(w, b + bias), at(w, b + bias + 1), at(w, b + bias + 2), at(w, b + bias + 3)
            for r in range(used):
                x = load(rows, row0 + r * WIDTH)
                ai = fma(at(w, a), x, ai)
                af = fma(at(w, a + 1), x, af)
                ag = fma(at(w, a + 2), x, ag)
                ao = fma(at(w, a + 3), x, ao)
                bi = fma(at(w, b), x, bi)
                bf = fma(at(w, b + 1), x, bf)
                bg = fma(at(w, b + 2), x, bg)
                bo = fma(at(w, b + 3), x, bo)
                a += 4
                b += 4
            _finish(ai, af, ag, ao, u, rows, gates, cell, tanh_cell, next_h, this_c, next_c, gate, this_c)
            _finish(bi, bf, bg, bo, u + 1, rows, gates, cell, tanh_cell, next_h, this_c, next_c, gate, this_c)
            u += 2
        while u < units:
            a = u * n_rows * 4
            bias = used * 4
            ai, af, ag, ao = at(w, a + bias), at(w, a + bias + 1), at(w, a + bias + 2), at(w, a + bias + 3)
            for r in range(used):
                x = load(rows, row0 + r * WIDTH)
                ai = fma(at(w, a), x, ai)
                af = fma(at(w, a + 1), x, af)
                ag = fma(at(w, a + 2), x, ag)
                ao = fma(at(w, a + 3), x, ao)
                a += 4
            _finish(ai, af, ag, ao, u, rows, gates, cell, tanh_cell, next_h, this_c, next_c, gate, this_c)
            u += 1


@numba.njit(**_OPTIONS)
def drop_sequence(units, inputs_row, n_rows_out, n_rows, length, rows, rows_out, bits, state, threshold, scale):
    """Dropout between two layers: h_t of this one, dropped and rescaled, becomes x_t of the next.

    Every window, time step and unit has its own mask, as Keras's Dropout on a sequence has. `threshold` is the
    probability of keeping times 2^32; 0 means no dropout.
    """
    factor = fill(scale)
    for t in range(length):
        source = (t + 1) * n_rows * WIDTH
        target = (t * n_rows_out + inputs_row) * WIDTH
        for u in range(units):
            h = load(rows, source + u * WIDTH)
            if threshold:
                mask = draw(state, 0, threshold)
                bits[t * units + u] = mask
                h = keep(mask, h * factor)
            store(rows_out, target + u * WIDTH, h)


@numba.njit(**_INLINE)
def _fma4(acc, x, d0, d1, d2, d3):
    return fma(x, d0, acc[0]), fma(x, d1, acc[1]), fma(x, d2, acc[2]), fma(x, d3, acc[3])


@numba.njit(**_INLINE)
def _two_by_two(start, stop, row, rows_apart, rows, gate, gates_apart, gates):
    """Sums over steps of the products of two rows and two gates; positions at step 0 and how far steps are apart."""
    a = b = c = d = fill(_ZERO)
    for t in range(start, stop):
        x, z = row + t * rows_apart, gate + t * gates_apart
        d0, d1 = load(gates, z), load(gates, z + WIDTH)
        x0, x1 = load(rows, x), load(rows, x + WIDTH)
        a, b, c, d = fma(x0, d0, a), fma(x0, d1, b), fma(x1, d0, c), fma(x1, d1, d)
    return a, b, c, d


@numba.njit(**_OPTIONS)
def weight_gradient(wide, grad, units, n_rows, start, stop, rows, gates):
    """Add to `grad` the sum over steps start..stop-1 and windows of [h, x, 1] dz, four rows by four gates.

    With `wide` registers all sixteen sums are kept at once; else the steps are gone through four times, for four sums
    each. The result is the same to the last bit.
    """
    zero = fill(_ZERO)
    for u in range(units):
        for r in range(0, n_rows, 4):
            p = (u * n_rows + r) * 4
            if not wide:
                x, z = r * WIDTH, u * 4 * WIDTH
                dx, dz = n_rows * WIDTH, units * 4 * WIDTH
                a0, a1, b0, b1 = _two_by_two(start, stop, x, dx, rows, z, dz, gates)
                a2, a3, b2, b3 = _two_by_two(start, stop, x, dx, rows, z + 2 * WIDTH, dz, gates)
                c0, c1, d0, d1 = _two_by_two(start, stop, x + 2 * WIDTH, dx, rows, z, dz, gates)
                c2, c3, d2, d3 = _two_by_two(start, stop, x + 2 * WIDTH, dx, rows, z + 2 * WIDTH, dz, gates)
                found = sums((a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3))
                store(grad, p, load(grad, p) + found)
                continue
            a = (zero, zero, zero, zero)
            b = (zero, zero, zero, zero)
            c = (zero, zero, zero, zero)
            d = (zero, zero, zero, zero)
            for t in range(start, stop):
                z = (t * units + u) * 4 * WIDTH
                d0 = load(gates, z)
                d1 = load(gates, z + WIDTH)
                d2 = load(gates, z + 2 * WIDTH)
                d3 = load(gates, z + 3 * WIDTH)
                x = (t * n_rows + r) * WIDTH
                a = _fma4(a, load(rows, x), d0, d1, d2, d3)
                b = _fma4(b, load(rows, x + WIDTH), d0, d1, d2, d3)
                c = _fma4(c, load(rows, x + 2 * WIDTH), d0, d1, d2, d3)
                d = _fma4(d, load(rows, x + 3 * WIDTH), d0, d1, d2, d3)
            store(grad, p, load(grad, p) + sums(a + b + c + d))


@numba.njit(**_OPTIONS)
def backward_layer(
    w, grad, stride, units, inputs, n_rows, length, rows, gates, cell, tanh_cell, flow, flow_rows, from_above, bits,
    threshold, scale, needs_input, dc, tile
):  # fmt: skip
    """Back through one layer: dz into `gates`, the weights' gradient into `grad`, d[h_{t-1}, x_t] into `flow`.

    The gradient comes in tiles of `tile` time steps, the last ones first; tile j is added at `grad[j * stride :]`.

    `flow` (length + 1, flow_rows): block t holds, from the layer above, the derivative by its x_t in the rows from
    `units` on, which is read before this layer overwrites the block with its own. Block `length` holds the derivative
    by the last h in its first rows. Only the topmost layer has `from_above` false.
    """
    one = fill(_ONE)
    factor = fill(scale)
    zero = fill(_ZERO)
    last_row = units + inputs if needs_input else units
    for u in range(units):
        store(dc, u * WIDTH, zero)
    stop = length
    at_tile = 0
    for t in range(length - 1, -1, -1):
        unit = t * units * WIDTH
        gate = unit * 4
        here = t * flow_rows * WIDTH
        above = here + units * WIDTH
        later = here + flow_rows * WIDTH
        for u in range(units):
            dh = load(flow, later + u * WIDTH)
            if from_above:
                d = load(flow, above + u * WIDTH)
                if threshold:
                    d = keep(bits[t * units + u], d * factor)
                dh = dh + d
            p = gate + u * 4 * WIDTH
            i = load(gates, p)
            f = load(gates, p + WIDTH)
            g = load(gates, p + 2 * WIDTH)
            o = load(gates, p + 3 * WIDTH)
            tc = load(tanh_cell, unit + u * WIDTH)
            d_cell = fma(dh * o, one - tc * tc, load(dc, u * WIDTH))
            store(gates, p, d_cell * g * (i * (one - i)))
            store(gates, p + WIDTH, d_cell * load(cell, unit + u * WIDTH) * (f * (one - f)))
            store(gates, p + 2 * WIDTH, d_cell * i * (one - g * g))
            store(gates, p + 3 * WIDTH, dh * tc * (o * (one - o)))
            store(dc, u * WIDTH, d_cell * f)
        for r in range(0, last_row, 4):
            a, b, c, d = zero, zero, zero, zero
            for u in range(units):
                z = gate + u * 4 * WIDTH
                p = (u * n_rows + r) * 4
                for k in range(4):
                    dz = load(gates, z + k * WIDTH)
                    a = fma(at(w, p + k), dz, a)
                    b = fma(at(w, p + 4 + k), dz, b)
                    c = fma(at(w, p + 8 + k), dz, c)
                    d = fma(at(w, p + 12 + k), dz, d)
            q = here + r * WIDTH
            store(flow, q, a)
            store(flow, q + WIDTH, b)
            store(flow, q + 2 * WIDTH, c)
            store(flow, q + 3 * WIDTH, d)
        if stop - t == tile or t == 0:
            weight_gradient(WIDE, grad[at_tile:], units, n_rows, t, stop, rows, gates)
            at_tile += stride
            stop = t


@numba.njit(**_OPTIONS)
def adam(weights, grad, m, v, step, rate):
    """One update of Adam (Kingma & Ba, 2015) as Keras computes it: beta 0.9 and 0.999, epsilon 1e-7."""
    b1, b2, epsilon = np.float32(0.9), np.float32(0.999), np.float32(1e-7)
    alpha = np.float32(rate * np.sqrt(1.0 - 0.999**step) / (1.0 - 0.9**step))
    for k in range(weights.size):
        g = grad[k]
        m[k] += (g - m[k]) * (_ONE - b1)
        v[k] += (g * g - v[k]) * (_ONE - b2)
        weights[k] -= m[k] * alpha / (np.sqrt(v[k]) + epsilon)


@numba.njit(**_OPTIONS)
def gather(x, order, first, last, inputs, units, n_rows, length, rows):
    """Windows order[first:last] of x (samples, length * inputs) into the rows x_t, one window a lane; other lanes 0."""
    for lane in range(WIDTH):
        sample = order[first + lane] if first + lane < last else -1
        for t in range(length):
            base = (t * n_rows + units) * WIDTH + lane
            for j in range(inputs):
                rows[base + j * WIDTH] = x[sample, t * inputs + j] if sample >= 0 else _ZERO


@numba.njit(**_OPTIONS)
def chunk_forward(net, w, x, order, first, last, tape, top, state, threshold, scale):
    """Predictions of the windows order[first:last] (at most 16), as lanes; `threshold` 0 leaves dropout out."""
    layers, units, features, length = net
    rows_all, gates_all, cell_all, tanh_all, bits_all, _flow, _dc = tape
    r0 = _rows_of(units, features)
    r1 = _rows_of(units, units)
    gather(x, order, first, last, features, units, r0, length, rows_all[: (length + 1) * r0 * WIDTH])
    w_at = 0
    rows_at = 0
    for layer in range(layers):
        inputs = features if layer == 0 else units
        n_rows = r0 if layer == 0 else r1
        size = (length + 1) * n_rows * WIDTH
        rows = rows_all[rows_at : rows_at + size]
        n = length * units * WIDTH
        n1 = n + units * WIDTH
        gates = gates_all[layer * 4 * n : (layer + 1) * 4 * n]
        cell = cell_all[layer * n1 : (layer + 1) * n1]
        tanh_cell = tanh_all[layer * n : (layer + 1) * n]
        forward_layer(WIDE, w[w_at:], units, inputs, n_rows, length, rows, gates, cell, tanh_cell)
        if layer + 1 < layers:
            bits = bits_all[layer * length * units : (layer + 1) * length * units]
            drop_sequence(
                units, units, r1, n_rows, length, rows, rows_all[rows_at + size :], bits, state, threshold, scale
            )
        else:
            h = length * n_rows * WIDTH
            for u in range(units):
                value = load(rows, h + u * WIDTH)
                if threshold:
                    mask = draw(state, 0, threshold)
                    bits_all[layer * length * units + u] = mask
                    value = keep(mask, value * fill(scale))
                store(top, u * WIDTH, value)
        w_at += units * n_rows * 4
        rows_at += size
    prediction = at(w, w_at + units)
    for u in range(units):
        prediction = fma(at(w, w_at + u), load(top, u * WIDTH), prediction)
    return prediction


@numba.njit(**_OPTIONS)
def chunk_backward(net, w, grad, stride, d_prediction, tape, top, threshold, scale, tile):
    """Add the gradient of the chunk that `chunk_forward` saw last; `d_prediction`: lanes, 0 where no window is.

    `stride` as in `backward_layer`: 0 adds all to `grad`.
    """
    layers, units, features, length = net
    rows_all, gates_all, cell_all, tanh_all, bits_all, flow, dc = tape
    r0 = _rows_of(units, features)
    r1 = _rows_of(units, units)
    flow_rows = max(r0, r1) if layers > 1 else r0
    w_at = units * 4 * (r0 + (layers - 1) * r1)
    rows_at = (length + 1) * WIDTH * (r0 + (layers - 1) * r1)
    final = length * flow_rows * WIDTH
    for u in range(units):
        grad[w_at + u] += total(d_prediction * load(top, u * WIDTH))
        d = d_prediction * at(w, w_at + u)
        if threshold:
            d = keep(bits_all[(layers - 1) * length * units + u], d * fill(scale))
        store(flow, final + u * WIDTH, d)
    grad[w_at + units] += total(d_prediction)
    for layer in range(layers - 1, -1, -1):
        inputs = features if layer == 0 else units
        n_rows = r0 if layer == 0 else r1
        size = (length + 1) * n_rows * WIDTH
        w_at -= units * n_rows * 4
        rows_at -= size
        n = length * units * WIDTH
        n1 = n + units * WIDTH
        if layer + 1 < layers:
            for u in range(units):
                store(flow, final + u * WIDTH, fill(_ZERO))
        backward_layer(
            w[w_at:], grad[w_at:], stride, units, inputs, n_rows, length, rows_all[rows_at : rows_at + size],
            gates_all[layer * 4 * n : (layer + 1) * 4 * n], cell_all[layer * n1 : (layer + 1) * n1],
            tanh_all[layer * n : (layer + 1) * n], flow, flow_rows, layer + 1 < layers,
            bits_all[layer * length * units : (layer + 1) * length * units], threshold, scale, layer > 0, dc, tile
        )  # fmt: skip


@numba.njit(**_INLINE)
def _rows_of(units, inputs):
    """Rows of a layer's input: hidden, input and ones, up to a multiple of four."""
    return (units + inputs + 4) // 4 * 4


@numba.njit(**_OPTIONS)
def chunk_gradient(
    net, w, grad, stride, x, y, order, first, stop, windows, tape, top, lane, state, threshold, scale, tile
):  # fmt: skip
    """Add to `grad` what the windows order[first:stop] (at most 16 of them) give to their batch's gradient.

    Returns their sum of squared errors. `windows`: size of the batch, over which the loss is a mean.
    """
    store(lane, 0, chunk_forward(net, w, x, order, first, stop, tape, top, state, threshold, scale))
    loss = 0.0
    for k in range(WIDTH):
        if first + k < stop:
            error = lane[k] - y[order[first + k]]
            loss += float(error) * float(error)
            lane[k] = np.float32(2.0) * error / np.float32(windows)
        else:
            lane[k] = _ZERO
    chunk_backward(net, w, grad, stride, load(lane, 0), tape, top, threshold, scale, tile)
    return loss


@numba.njit(**_INLINE)
def tape_of(tapes, k):
    """The tape of thread k, borrowed."""
    return (
        borrow(tapes[0][k]), borrow(tapes[1][k]), borrow(tapes[2][k]), borrow(tapes[3][k]), borrow(tapes[4][k]),
        borrow(tapes[5][k]), borrow(tapes[6][k])
    )  # fmt: skip


@numba.njit(**_OPTIONS)
def add_and_clear(grad, tiles):
    """Add the tiles, one after the other, to `grad`, and leave zeros."""
    size = grad.size
    zero = fill(_ZERO)
    for start in range(0, tiles.size, size):
        k = 0
        while k + WIDTH <= size:
            store(grad, k, load(grad, k) + load(tiles, start + k))
            store(tiles, start + k, zero)
            k += WIDTH
        while k < size:
            grad[k] += tiles[start + k]
            tiles[start + k] = _ZERO
            k += 1


@numba.njit(parallel=True, **_OPTIONS)
def shared_gradient(
    net, w, grad, x, y, order, start, stop, tapes, top, lane, tiles, states, share, jump, threshold, scale, tile
):  # fmt: skip
    """What the loop over the chunks of a batch in `train_epoch` does, on several threads, to the last bit.

    Each thread takes `share` neighbouring chunks at a time. Its generators of dropout masks start where those of one
    thread would stand by then. Sums of floats depend on their order: the first thread adds to `grad`, the others keep
    each addend in a tile, and these are added afterwards, in the order of one thread.
    """
    threads = top.shape[0]
    losses = np.zeros((threads, share))
    loss = 0.0
    step = share * WIDTH
    stride = w.size
    for group in range(start, stop, threads * step):
        used = min(threads, (stop - group + step - 1) // step)
        for k in range(1, used):
            states[k] = states[k - 1]
            if threshold:
                leap(states[k], jump)
        for k in numba.prange(used):
            control = flush_denormals()
            tape, w_, x_, y_, order_ = tape_of(tapes, k), borrow(w), borrow(x), borrow(y), borrow(order)
            top_, lane_, state_ = borrow(top[k]), borrow(lane[k]), borrow(states[k])
            mine = borrow(tiles[k - 1]) if k else borrow(grad)
            here = group + k * step
            losses[k] = 0.0
            position = 0
            for chunk, first in enumerate(range(here, min(here + step, stop), WIDTH)):
                losses[k, chunk] = chunk_gradient(
                    net, w_, mine[position:], stride if k else 0, x_, y_, order_, first, stop, stop - start, tape, top_,
                    lane_, state_, threshold, scale, tile
                )  # fmt: skip
                position += tiles.shape[1] // share if k else 0
            restore(control)
        states[0] = states[used - 1]
        for k in range(used):
            for chunk in range(share):
                loss += losses[k, chunk]
            if k:
                add_and_clear(grad, tiles[k - 1])
    return loss


@numba.njit(**_INLINE)
def tile_of(units):
    """Time steps whose gradient is summed at once: their tape stays in the innermost cache."""
    return max(8, min(48, 8192 // (5 * units * 4)))


@numba.njit(**_OPTIONS)
def train_epoch(
    net, w, grad, m, v, step, x, y, order, batch_size, rate, keep_probability, tapes, top, lane, tiles, states, share,
    jump
):  # fmt: skip
    """One epoch over the windows `order` in batches; returns (mean squared training loss, updates made so far).

    Stops at the first batch whose loss is not finite. The last batch may be smaller; its gradient is a mean over its
    own windows, as in Keras. The chunks of a batch come one after the other, or, with `share` above 0, that many at a
    time on each of Numba's threads; the result is the same to the last bit.
    """
    threshold = uint32(0)
    if keep_probability < 1.0:
        threshold = uint32(np.floor(keep_probability * 4294967296.0))
    scale = np.float32(1.0 / keep_probability)
    tile = tile_of(net[1])
    loss = 0.0
    control = flush_denormals()
    for start in range(0, order.size, batch_size):
        stop = min(start + batch_size, order.size)
        grad[:] = _ZERO
        batch_loss = 0.0
        if share and stop - start > share * WIDTH:
            batch_loss += shared_gradient(
                net, w, grad, x, y, order, start, stop, tapes, top, lane, tiles, states, share, jump, threshold,
                scale, tile
            )  # fmt: skip
        else:
            for first in range(start, stop, WIDTH):
                batch_loss += chunk_gradient(
                    net, w, grad, 0, x, y, order, first, stop, stop - start, tape_of(tapes, 0), top[0], lane[0],
                    states[0], threshold, scale, tile
                )  # fmt: skip
        loss += batch_loss
        if not np.isfinite(batch_loss):
            restore(control)
            return np.nan, step
        step += 1
        adam(w, grad, m, v, step, rate)
    restore(control)
    return loss / order.size, step


@numba.njit(**_OPTIONS)
def predict(net, w, x, tapes, top, lane, states, out):
    """Predictions for all windows of x into `out`, without dropout."""
    order = np.arange(x.shape[0])
    tape = tape_of(tapes, 0)
    control = flush_denormals()
    for first in range(0, order.size, WIDTH):
        chunk = chunk_forward(net, w, x, order, first, order.size, tape, top[0], states[0], uint32(0), np.float32(1.0))
        store(lane[0], 0, chunk)
        for k in range(min(WIDTH, order.size - first)):
            out[first + k] = lane[0, k]
    restore(control)
