"""Eight numbers at a time in compiled kernels.

A compiler that is to vectorise a loop over arrays must first show that they do not overlap, and
leaves it scalar where it cannot. Here the kernel says itself what goes together: ``Lanes`` are
eight float64, or eight float32, which the compiler turns into whatever vector registers the
processor has. They exist only inside compiled code; arrays keep them as eight consecutive numbers.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.extending import models, register_model

LANES = 8

_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_VECTORS = {types.float64: _VECTOR, types.float32: ir.VectorType(ir.FloatType(), LANES)}
_INDEX = ir.IntType(32)

_make_function: Any = cgutils.get_or_insert_function


def intrinsic(generate: Callable[..., Any]) -> Any:
    """A function of compiled code, from what generates its instructions."""
    return extending.intrinsic(generate)


def overload(function: Any) -> Callable[[Callable[..., Any]], Any]:
    """Let a function of Python's own take other types in compiled code."""
    made: Callable[[Callable[..., Any]], Any] = extending.overload(function)
    return made


class _LanesType(types.Type):
    """The type of eight numbers."""

    def __init__(self, number: Any) -> None:
        begin: Any = super().__init__
        begin(name=f"Lanes({number})")
        self.number = number


_make_type: Any = _LanesType
_LANES_OF = {number: _make_type(number) for number in _VECTORS}
lanes_type = _LANES_OF[types.float64]


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        begin: Any = super().__init__
        begin(manager, kind, _VECTORS[kind.number])


def _pointer(context: Any, builder: Any, kind: Any, array: Any, offset: Any) -> Any:
    """Where lanes begin in the memory of a contiguous array."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), _VECTORS[kind.dtype].as_pointer())


def _splat(builder: Any, kind: Any, number: Any) -> Any:
    undefined = ir.Constant(_VECTORS[kind], ir.Undefined)
    first = builder.insert_element(undefined, number, _INDEX(0))
    zeros = ir.Constant(ir.VectorType(_INDEX, LANES), [0] * LANES)
    return builder.shuffle_vector(first, undefined, zeros)


@intrinsic
def load(typing: Any, array: Any, offset: Any) -> Any:
    """The lanes of a C-contiguous array of floats from a number of its memory on; not checked."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        place = _pointer(context, builder, signature.args[0], *given)
        return builder.load(place, align=array.dtype.bitwidth // 8)

    return _LANES_OF[array.dtype](array, types.intp), generate


@intrinsic
def store(typing: Any, array: Any, offset: Any, value: Any) -> Any:
    """Put lanes into a C-contiguous array of floats from a number of its memory on; not checked."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        place = _pointer(context, builder, signature.args[0], *given[:2])
        builder.store(given[2], place, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, _LANES_OF[array.dtype]), generate


@intrinsic
def splat(typing: Any, number: Any) -> Any:
    """Lanes that are all one number."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return _splat(builder, number, given[0])

    return _LANES_OF[number](number), generate


@intrinsic
def total(typing: Any, value: Any) -> Any:
    """The sum of lanes, in pairs of pairs: in the same order on every processor."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        [left], width = given, LANES
        while width > 1:
            width //= 2
            order = [(lane + width) % LANES for lane in range(LANES)]
            other = builder.shuffle_vector(
                left, left, ir.Constant(ir.VectorType(_INDEX, LANES), order)
            )
            left = builder.fadd(left, other)
        return builder.extract_element(left, _INDEX(0))

    return types.float64(lanes_type), generate


@intrinsic
def root(typing: Any, value: Any) -> Any:
    """Square roots."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kind = ir.FunctionType(_VECTOR, [_VECTOR])
        function = _make_function(builder.module, kind, f"llvm.sqrt.v{LANES}f64")
        return builder.call(function, given)

    return lanes_type(lanes_type), generate


@intrinsic
def positive(typing: Any, value: Any) -> Any:
    """What is above zero of lanes, and zero elsewhere."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        zero = ir.Constant(_VECTOR, [0.0] * LANES)
        return builder.select(builder.fcmp_ordered(">", given[0], zero), given[0], zero)

    return lanes_type(lanes_type), generate


def _operator(sign: Any, instruction: str) -> None:
    """Let an operator work on lanes, and on lanes and a number of their kind."""

    def make(lanes: Any, first: Any, second: Any) -> Callable[..., Any]:
        @intrinsic
        def of_lanes(typing: Any, a: Any, b: Any) -> Any:
            def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
                both = [
                    value if kind == lanes else _splat(builder, kind, value)
                    for kind, value in zip(signature.args, given, strict=True)
                ]
                return getattr(builder, instruction)(*both, flags=("contract", "nsz"))

            return lanes(first, second), generate

        def call(a: Any, b: Any) -> Any:
            return of_lanes(a, b)

        return call

    @overload(sign)
    def of(a: Any, b: Any) -> Any:
        for lanes in _LANES_OF.values():
            if lanes in (a, b) and {a, b} <= {lanes, lanes.number}:
                return make(lanes, a, b)
        return None


for _sign, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _operator(_sign, _instruction)
