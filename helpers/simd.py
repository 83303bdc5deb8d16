"""Sixteen float32 numbers as one value in Numba: what the fast LSTM trainer computes with.

A `Lanes` value holds the same quantity of 16 windows of a batch. It maps to LLVM's vector type, so that it lives in one
512-bit register (or two of 256 bits, four of 128) and `a * b + c` on lanes reads as it does on scalars. Numba's own
auto-vectorisation cannot be relied on here: it keeps sums over rows in memory, which made the recurrent product several
times slower.

All functions are for use inside `numba.njit` code. Arrays are one-dimensional, contiguous float32; positions count
floats, and position p of `load`/`store` covers `array[p : p + 16]` without a check of the bounds.
"""

from __future__ import annotations

import operator
import platform

import numba
import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

WIDTH = 16

_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, WIDTH)
_INT = ir.IntType(32)
_INTS = ir.VectorType(_INT, WIDTH)


def _wide() -> bool:
    features = numba.config.CPU_FEATURES
    if features is None:
        features = "" if numba.config.CPU_NAME == "generic" else binding.get_host_cpu_features().flatten()
    return "+avx512f" in features.split(",")


WIDE = _wide()  # 32 registers that each hold a `Lanes`; else there is room for about 8 of them, or fewer
_MXCSR = platform.machine().lower() in ("x86_64", "amd64")  # processors with this control register
_FLUSH = 0x8040  # its bits for results (FTZ) and operands (DAZ)


class LanesType(types.Type):
    """Numba's type of a `Lanes` value."""

    def __init__(self) -> None:
        super().__init__(name="Lanes16xFloat32")


lanes_type = LanesType()


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type) -> None:
        super().__init__(dmm, fe_type, _VECTOR)


def aligned(size: int, dtype: type = np.float32) -> np.ndarray:
    """Zeros, shape (size,), on a 64-byte boundary: a vector that crosses a cache line costs two accesses."""
    item = np.dtype(dtype).itemsize
    raw = np.zeros(size + 64 // item, dtype)
    offset = (-raw.ctypes.data % 64) // item
    return raw[offset : offset + size]


def _pointer(context, builder, array_type, array, position, kind):
    data = context.make_array(array_type)(context, builder, array).data
    element = builder.gep(data, [position], inbounds=True)
    return builder.bitcast(element, kind.as_pointer())


def _splat(builder, scalar, kind):
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.Constant(_INT, 0))
    return builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), ir.Constant(_INTS, [0] * WIDTH))


@intrinsic
def load(typingctx, array, position):
    """Lanes at `array[position : position + 16]`."""

    def codegen(context, builder, signature, args):
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1], _VECTOR)
        return builder.load(pointer, align=4)

    return lanes_type(array, types.intp), codegen


@intrinsic
def store(typingctx, array, position, value):
    """Write lanes to `array[position : position + 16]`."""

    def codegen(context, builder, signature, args):
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1], _VECTOR)
        builder.store(args[2], pointer, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes_type), codegen


@intrinsic
def at(typingctx, array, position):
    """The one number `array[position]` in all lanes."""

    def codegen(context, builder, signature, args):
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1], _FLOAT)
        return _splat(builder, builder.load(pointer, align=4), _VECTOR)

    return lanes_type(array, types.intp), codegen


@intrinsic
def fill(typingctx, scalar):
    """`scalar` in all lanes."""

    def codegen(context, builder, signature, args):
        return _splat(builder, context.cast(builder, args[0], signature.args[0], types.float32), _VECTOR)

    return lanes_type(scalar), codegen


@intrinsic
def fma(typingctx, a, b, c):
    """a * b + c, rounded once."""

    def codegen(context, builder, signature, args):
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fma.v{WIDTH}f32"
        )
        return builder.call(function, args)

    return lanes_type(lanes_type, lanes_type, lanes_type), codegen


@intrinsic
def clip(typingctx, a, limit):
    """a between -limit and limit; NaN stays NaN."""

    def codegen(context, builder, signature, args):
        value, limit = args
        low = builder.fneg(limit)
        value = builder.select(builder.fcmp_ordered("<", value, low), low, value)
        return builder.select(builder.fcmp_ordered(">", value, limit), limit, value)

    return lanes_type(lanes_type, lanes_type), codegen


@intrinsic
def borrow(typingctx, array):
    """The same array without its count of references, which the caller's array keeps.

    Every slice of an array counts references to its memory up and down, one atomic operation each, and threads that
    do so for the same memory wait for one another: twice the time of a small chunk.
    """

    def codegen(context, builder, signature, args):
        view = context.make_array(signature.args[0])(context, builder, args[0])
        view.meminfo = ir.Constant(view.meminfo.type, None)
        view.parent = ir.Constant(view.parent.type, None)
        return view._getvalue()

    return array(array), codegen


def _elementwise(name):
    @intrinsic
    def operation(typingctx, a, b):
        def codegen(context, builder, signature, args):
            return getattr(builder, name)(*args)

        return lanes_type(lanes_type, lanes_type), codegen

    return operation


_add, _sub, _mul, _div = (_elementwise(name) for name in ("fadd", "fsub", "fmul", "fdiv"))


@overload(operator.add, inline="always")
def _overload_add(a, b):
    if a == lanes_type and b == lanes_type:
        return lambda a, b: _add(a, b)


@overload(operator.sub, inline="always")
def _overload_sub(a, b):
    if a == lanes_type and b == lanes_type:
        return lambda a, b: _sub(a, b)


@overload(operator.mul, inline="always")
def _overload_mul(a, b):
    if a == lanes_type and b == lanes_type:
        return lambda a, b: _mul(a, b)


@overload(operator.truediv, inline="always")
def _overload_div(a, b):
    if a == lanes_type and b == lanes_type:
        return lambda a, b: _div(a, b)


def _halve(builder, a, b, width):
    """Of each group of `2 * width` lanes in a, then in b, the sum of its halves: 16 lanes from 32."""
    starts = range(0, 2 * WIDTH, 2 * width)
    low = [s + k for s in starts for k in range(width)]
    high = [s + width + k for s in starts for k in range(width)]
    return builder.fadd(
        builder.shuffle_vector(a, b, ir.Constant(_INTS, low)), builder.shuffle_vector(a, b, ir.Constant(_INTS, high))
    )


@intrinsic
def sums(typingctx, vectors):
    """The 16 sums over the lanes of a tuple of 16 lanes: lane k of the result is the sum of `vectors[k]`."""

    def codegen(context, builder, signature, args):
        rows = cgutils.unpack_tuple(builder, args[0], WIDTH)
        width = WIDTH // 2
        while width:
            rows = [_halve(builder, a, b, width) for a, b in zip(rows[::2], rows[1::2], strict=True)]
            width //= 2
        return rows[0]

    return lanes_type(vectors), codegen


@intrinsic
def total(typingctx, a):
    """The sum of the 16 lanes, a float32, always added in the same order."""

    def codegen(context, builder, signature, args):
        value, width = args[0], WIDTH // 2
        while width:
            value = _halve(builder, value, value, width)
            width //= 2
        return builder.extract_element(value, ir.Constant(_INT, 0))

    return types.float32(lanes_type), codegen


@intrinsic
def draw(typingctx, state, position, threshold):
    """Sixteen random bits, each 1 with probability threshold / 2**32, as a uint16.

    `state[position : position + 64]`, uint32, holds 16 generators of Marsaglia's xorshift128 (G. Marsaglia, Xorshift
    RNGs, Journal of Statistical Software 8(14), 2003, section 4), its four words side by side, and is advanced.
    """

    def codegen(context, builder, signature, args):
        def words(k):
            offset = builder.add(args[1], ir.Constant(args[1].type, k * WIDTH))
            return _pointer(context, builder, signature.args[0], args[0], offset, _INTS)

        def constant(k):
            return ir.Constant(_INTS, [k] * WIDTH)

        x, y, z, w = (builder.load(words(k), align=4) for k in range(4))
        t = builder.xor(x, builder.shl(x, constant(11)))
        t = builder.xor(t, builder.lshr(t, constant(8)))
        new = builder.xor(builder.xor(w, builder.lshr(w, constant(19))), t)
        for k, value in enumerate((y, z, w, new)):
            builder.store(value, words(k), align=4)
        hit = builder.icmp_unsigned("<", new, _splat(builder, args[2], _INTS))
        return builder.bitcast(hit, ir.IntType(16))

    return types.uint16(state, types.intp, types.uint32), codegen


def jump(draws: int) -> np.ndarray:
    """What `draws` calls of `draw` do to a generator: shape (128, 4), uint32, for `leap`.

    One step of xorshift128 is linear over the field of two elements: a matrix, 128 x 128, whose power is the jump. Row
    32 w + b is the state that follows from word w having bit b alone.
    """
    x, y, z, w = np.eye(4, dtype=np.uint32)[:, :, None] << np.arange(32, dtype=np.uint32)
    x, y, z, w = (word.ravel() for word in (x, y, z, w))
    t = x ^ (x << np.uint32(11))
    step = np.stack([y, z, w, w ^ (w >> np.uint32(19)) ^ t ^ (t >> np.uint32(8))], axis=1)
    base = _bits(step)
    power = np.eye(128, dtype=np.float32)
    while draws:
        if draws & 1:
            power = power @ base % 2
        base = base @ base % 2
        draws >>= 1
    return (power.reshape(128, 4, 32).astype(np.uint32) << np.arange(32, dtype=np.uint32)).sum(axis=2, dtype=np.uint32)


def _bits(states: np.ndarray) -> np.ndarray:
    """States (n, 4) uint32 as bits, (n, 128) float32: sums of at most 128 of them are exact."""
    return (states[:, :, None] >> np.arange(32, dtype=np.uint32) & 1).reshape(len(states), 128).astype(np.float32)


@numba.njit(cache=True, nogil=True)
def leap(state, matrix):
    """Advance the 16 generators of `state` (64,) by the draws of `matrix` (see `jump`)."""
    for lane in range(WIDTH):
        a = b = c = d = np.uint32(0)
        for word in range(4):
            value = state[word * WIDTH + lane]
            for bit in range(32):
                chosen = np.uint32(0) - (value >> np.uint32(bit) & np.uint32(1))
                row = word * 32 + bit
                a ^= matrix[row, 0] & chosen
                b ^= matrix[row, 1] & chosen
                c ^= matrix[row, 2] & chosen
                d ^= matrix[row, 3] & chosen
        state[lane], state[WIDTH + lane], state[2 * WIDTH + lane], state[3 * WIDTH + lane] = a, b, c, d


@intrinsic
def keep(typingctx, bits, a):
    """`a` where its bit of the uint16 `bits` is 1, else 0."""

    def codegen(context, builder, signature, args):
        mask = builder.bitcast(args[0], ir.VectorType(ir.IntType(1), WIDTH))
        return builder.select(mask, args[1], ir.Constant(_VECTOR, [0.0] * WIDTH))

    return lanes_type(types.uint16, lanes_type), codegen


def _control(builder, name, slot):
    pointer = ir.IntType(8).as_pointer()
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.VoidType(), [pointer]), name)
    builder.call(function, [builder.bitcast(slot, pointer)])


@intrinsic
def flush_denormals(typingctx):
    """From here on this thread takes floats below 1.2e-38 for 0, as TensorFlow's do; the result is for `restore`.

    A saturated LSTM has gradients that small, and many processors take a hundred times as long for them. Does nothing
    on processors other than x86-64.
    """

    def codegen(context, builder, signature, args):
        if not _MXCSR:
            return ir.Constant(_INT, 0)
        slot = cgutils.alloca_once(builder, _INT)
        _control(builder, "llvm.x86.sse.stmxcsr", slot)
        before = builder.load(slot)
        builder.store(builder.or_(before, ir.Constant(_INT, _FLUSH)), slot)
        _control(builder, "llvm.x86.sse.ldmxcsr", slot)
        return before

    return types.uint32(), codegen


@intrinsic
def restore(typingctx, before):
    """Undo `flush_denormals`, which returned `before`: the setting is the thread's, and NumPy would have it too."""

    def codegen(context, builder, signature, args):
        if _MXCSR:
            slot = cgutils.alloca_once(builder, _INT)
            builder.store(args[0], slot)
            _control(builder, "llvm.x86.sse.ldmxcsr", slot)
        return context.get_dummy_value()

    return types.void(types.uint32), codegen
