"""The lines ``id type x y z ix iy iz`` of a LAMMPS text dump as numbers, compiled.

Almost all lines are as ``dump_modify format float %.5f`` writes them: all coordinates have as many
decimals. They are read 256 at a time, in two passes. The first finds where words end: 64 bytes are
compared at once, and the ends follow from the bits of the outcome. Each word is then the last bytes
of a whole number of 64 bits; the second pass turns the words of a column into numbers, eight digits
with three multiplications, without a branch, so that the compiler does several lines in one
instruction. Coordinates stay whole numbers, the power of ten goes into what they are multiplied by.
The type of an atom, which nobody asks for, is passed over.

Whatever else a line may hold (an exponent, other decimals, more than eight digits, more than 64
bytes) is read character by character from there on.

Bytes of a word lie in the order of little-endian processors, which all are that LAMMPS is built
for.

Source: Langdale, Lemire, The VLDB Journal 28, 941 (2019), for bits instead of branches; Johnny Lee,
"Fast numeric string to int" (2016), for eight digits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

Array = NDArray[Any]

BEFORE, BEHIND = 16, 80
"""Bytes that must lie in memory before the first line and behind the last, whatever they hold."""

AT_ONCE = 256
"""Lines whose words are found before they are turned into numbers: they stay in the fastest cache.
"""

MOST_DIGITS = 18
"""Digits that an integer of 64 bits holds for certain; a double has sixteen."""

TENS = 10.0 ** np.arange(23)
"""Powers of ten that a double holds exactly."""

U = np.uint64
ONE, TWO, SEVEN, EIGHT = U(1), U(2), U(7), U(8)
"""Places in a text are counted without sign: compiled code then need not look for negative ones."""

SPACE, END, POINT = np.uint8(32), np.uint8(10), np.uint8(46)
ALL, LAST, LAST_BIT = U(0xFFFF_FFFF_FFFF_FFFF), U(0xFF), U(63)
ZEROS = U(0x3030_3030_3030_3030)
"""Eight characters "0": without its bits, a digit's byte is its value."""

MINUS = U(0x1D)
"""What is left of a minus then."""

ABOVE_NINE, HIGH = U(0x7676_7676_7676_7676), U(0x8080_8080_8080_8080)
"""Added to a byte that is more than nine, the first sets its highest bit, which the second holds.
"""

PAIRS, TO_UPPER, TO_LOWER = (
    U(0x0000_00FF_0000_00FF),
    U(0x000F_4240_0000_0064),
    U(0x0000_2710_0000_0001),
)
"""Every second of four pairs of digits, and what they count: 1,000,000 and 100; 10,000 and 1."""


@njit(cache=True)
def read_frame(
    text: Array,
    bounds: int,
    tilted: bool,
    start: int,
    filled: int,
    rotation: Array,
    cell: Array,
    out: Array,
) -> int:
    """Read the bounds and the lines of one frame: where they end, or 0 where they end early or hold
    what is no number.

    Parameters
    ----------
    text : (n,) uint8 with at least ``BEFORE`` bytes before the lines, and ``BEHIND`` after
        ``filled``
    bounds, start, filled : where the bounds and the lines begin, and where what is read of the file
        ends; there is a zero byte there
    tilted : whether the bounds hold tilt factors
    rotation : (3, 3) what positions from the corner of the cell are multiplied by
    cell : (3, 3) float64, filled with the vectors of the cell times ``rotation``, angstrom
    out : (3, N) float32, filled with unwrapped positions, angstrom

    Source: LAMMPS manual, Howto_triclinic, for the bounds of a tilted cell.
    """
    origin, n_atoms = np.empty(3), out.shape[1]
    if not _cell(text[: filled + 1], U(bounds), tilted, rotation, origin, cell):
        return 0
    done, at = _usual(text, U(start), U(filled), n_atoms, origin, cell, rotation, out)
    return (
        int(np.int64(at))
        if done == n_atoms
        else _unusual(text[: filled + 1], at, done, n_atoms, origin, cell, rotation, out)
    )


@intrinsic
def _eight(context: Any, text: Any, at: Any) -> Any:
    """Eight bytes from a place on, as one number."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(64).as_pointer())
        return builder.load(place, align=1)

    return types.uint64(text, at), code


@intrinsic
def _where(context: Any, text: Any, at: Any, byte: Any) -> Any:
    """Which of 64 bytes from a place on are equal to one: a bit for each, the first is the
    lowest.
    """

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        vector = ir.VectorType(ir.IntType(8), 64)
        found = builder.load(
            builder.bitcast(builder.gep(data, [arguments[1]]), vector.as_pointer()), align=1
        )
        nothing = ir.Constant(vector, ir.Undefined)
        first = builder.insert_element(nothing, arguments[2], ir.Constant(ir.IntType(32), 0))
        everywhere = builder.shuffle_vector(
            first, nothing, ir.Constant(ir.VectorType(ir.IntType(32), 64), [0] * 64)
        )
        return builder.bitcast(builder.icmp_unsigned("==", found, everywhere), ir.IntType(64))

    return types.uint64(text, at, byte), code


@intrinsic
def _lowest(context: Any, bits: Any) -> Any:
    """Which bit is the lowest that is set; 64 where none is."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(bits), code


@njit(cache=True)
def _usual(
    text: Array,
    at: Any,
    filled: Any,
    n_atoms: int,
    origin: Array,
    images: Array,
    rotation: Array,
    out: Array,
) -> tuple[int, Any]:
    """Read lines until all are read, or some of the next 256 are not of the usual form: how many
    were, and where they end.
    """
    ends = np.full(
        (9, AT_ONCE), ALL, np.uint64
    )  # of the words of a line, from its begin; "before the first" is one byte before it
    words, shifted, stops = (
        np.empty((8, AT_ONCE), np.uint64),
        np.empty((3, AT_ONCE), np.uint64),
        np.empty(AT_ONCE, np.uint64),
    )
    values = np.empty((8, AT_ONCE))
    decimals = _decimals(text, at)
    atom = 0
    while atom < n_atoms:
        n = min(AT_ONCE, n_atoms - atom)
        begun = at
        for line in range(n):
            if at >= filled:
                return atom, begun
            m = U(line)
            stop: Any = _where(text, at, END)  # type: ignore[call-arg]
            end: Any = stop | _where(text, at, SPACE)
            for word in range(8):
                place = _lowest(end)
                end &= end - ONE
                ends[U(word + 1), m] = place
                if word != 1:
                    words[U(word), m] = _eight(text, at + place - EIGHT)
                if 2 <= word < 5:
                    shifted[U(word - 2), m] = _eight(text, at + place - EIGHT - ONE)
            stops[m] = _lowest(stop)  # by a way of its own: the next line waits for it
            at += stops[m] + ONE
        wrong = U(at > filled) | U(decimals - ONE > SEVEN - ONE)
        for line in range(n):  # LAMMPS may write a space behind the last word
            wrong |= U(stops[line] - ends[8, line] > ONE) | U(stops[line] > LAST_BIT)
        for word in range(8):
            if 2 <= word < 5:
                wrong |= _join(words, shifted, ends, word, n, decimals)
            if word != 1:
                wrong |= _numbers(words, ends, word, n, TWO if 2 <= word < 5 else ONE, values)
        for line in range(n):
            wrong |= U(values[0, line] != atom + line + 1)
        if wrong:
            return atom, begun
        for axis in range(3):
            _unwrap(values, n, TENS[decimals], origin, images, rotation, axis, out, atom)
        atom += n
    return n_atoms, at


@njit(cache=True)
def _cell(text: Array, at: Any, tilted: bool, rotation: Array, origin: Array, cell: Array) -> bool:
    """Fill origin and cell from the lines of bounds at a place; whether these are as they
    must be.
    """
    low, high, tilts = np.empty(3), np.empty(3), np.zeros(3)
    for axis in range(3):
        low[axis], at = read_real(text, at)
        high[axis], at = read_real(text, at)
        if tilted:
            tilts[axis], at = read_real(text, at)
        while text[at] == SPACE:
            at += ONE
        if text[at] != END:
            return False
        at += ONE
    xy, xz, yz = tilts
    origin[0], origin[1], origin[2] = (
        low[0] - min(0.0, xy, xz, xy + xz),
        low[1] - min(0.0, yz),
        low[2],
    )
    x, y, z = (
        high[0] - max(0.0, xy, xz, xy + xz) - origin[0],
        high[1] - max(0.0, yz) - origin[1],
        high[2] - origin[2],
    )
    for axis in range(3):
        a, b, c = rotation[0, axis], rotation[1, axis], rotation[2, axis]
        cell[0, axis], cell[1, axis], cell[2, axis] = x * a, xy * a + y * b, xz * a + yz * b + z * c
    return True


@njit(cache=True)
def _decimals(text: Array, at: Any) -> Any:
    """How many digits follow the first point of a line; where it has none, that is more than any
    number has.
    """
    point = at
    while text[point] != POINT:
        if text[point] == END:
            return ALL
        point += ONE
    return _digits(text, point + ONE, 0)[1] - point - ONE


# Columns are told by their number, not cut out: the parts of arrays that compiled code makes are
# counted, which takes longer than their numbers do.


@njit(cache=True)
def _join(words: Array, shifted: Array, ends: Array, word: int, n: int, decimals: Any) -> Any:
    """Close the gap of a point: digits behind are in ``words``, those before, one byte further on,
    in ``shifted``. Not zero where it is misplaced.
    """
    wrong = U(0)
    behind = ALL << (EIGHT * ((EIGHT - decimals) & SEVEN))
    place = EIGHT * ((SEVEN - decimals) & SEVEN)
    for m in range(n):
        digits = words[word, m]
        wrong |= (((digits >> place) & LAST) ^ U(POINT)) | U(
            ends[word + 1, m] - ends[word, m] - TWO - decimals > EIGHT
        )
        words[word, m] = (digits & behind) | (shifted[word - 2, m] & ~behind)
    return wrong


@njit(cache=True)
def _numbers(words: Array, ends: Array, word: int, n: int, others: Any, values: Array) -> Any:
    """Whole numbers from the words of a column, which end with the last byte; not zero where one is
    none.

    Parameters
    ----------
    words : (8, n or more) of which the last bytes count
    ends : (9, n or more) ends of words from the begin of their line, from the one before the first
        on
    word : the column
    others : how many bytes between two ends are no digit and no sign
    values : (8, n or more) float64; the column is filled
    """
    wrong = U(0)
    for m in range(n):
        length = ends[word + 1, m] - ends[word, m] - others
        shift = EIGHT * ((EIGHT - length) & SEVEN)
        digits = (words[word, m] ^ ZEROS) >> shift
        minus = U((digits & LAST) == MINUS)
        digits ^= MINUS * minus
        wrong |= (((digits + ABOVE_NINE) | digits) & HIGH) | U(length - ONE - minus > SEVEN - minus)
        digits <<= shift
        digits = U(10) * digits + (digits >> EIGHT)
        digits = ((digits & PAIRS) * TO_UPPER + ((digits >> U(16)) & PAIRS) * TO_LOWER) >> U(32)
        value = np.float64(np.int64(digits))
        values[word, m] = -value if minus else value
    return wrong


@njit(cache=True)
def _unwrap(
    values: Array,
    n: int,
    unit: float,
    origin: Array,
    images: Array,
    rotation: Array,
    axis: int,
    out: Array,
    first: int,
) -> None:
    """One coordinate of n atoms from the numbers of their lines, of which coordinates count units
    of a part of an angstrom.

    What each number adds to it is in a column of ``images`` and ``rotation``, both (3, 3).
    """
    along_x, along_y, along_z = (
        rotation[0, axis] / unit,
        rotation[1, axis] / unit,
        rotation[2, axis] / unit,
    )
    along_i, along_j, along_k = images[0, axis], images[1, axis], images[2, axis]
    corner = (
        origin[0] * rotation[0, axis]
        + origin[1] * rotation[1, axis]
        + origin[2] * rotation[2, axis]
    )
    for m in range(n):
        inside = values[2, m] * along_x + values[3, m] * along_y + values[4, m] * along_z - corner
        out[axis, first + m] = inside + (
            values[5, m] * along_i + values[6, m] * along_j + values[7, m] * along_k
        )


@njit(cache=True)
def _unusual(
    text: Array,
    at: Any,
    done: int,
    n_atoms: int,
    origin: Array,
    images: Array,
    rotation: Array,
    out: Array,
) -> int:
    """The lines from atom ``done`` on, character by character: where they end, or 0. The last byte
    of the text is zero and ends numbers and lines.
    """
    for atom in range(done, n_atoms):
        number, at = _integer(text, at)
        if number != atom + 1:
            return 0
        _, at = _integer(text, at)
        x, at = read_real(text, at)
        y, at = read_real(text, at)
        z, at = read_real(text, at)
        i, at = _integer(text, at)
        j, at = _integer(text, at)
        k, at = _integer(text, at)
        while text[at] == SPACE:
            at += ONE
        if text[at] != END:
            return 0
        at += ONE
        x, y, z = x - origin[0], y - origin[1], z - origin[2]
        for axis in range(3):
            inside = x * rotation[0, axis] + y * rotation[1, axis] + z * rotation[2, axis]
            out[axis, atom] = inside + (
                i * images[0, axis] + j * images[1, axis] + k * images[2, axis]
            )
    return int(np.int64(at))


@njit(cache=True)
def _digits(text: Array, at: Any, value: Any) -> Any:
    """A whole number that begins as ``value`` and goes on with the digits from a byte on, and where
    they end.
    """
    digit = np.uint8(text[at] - 48)
    while digit < 10:
        value = 10 * value + digit
        at += ONE
        digit = np.uint8(text[at] - 48)
    return value, at


@njit(cache=True)
def _integer(text: Array, at: Any) -> Any:
    """A whole number behind spaces, and where it ends: before a space or the end of the line. Where
    there is none, that is the end of the text.
    """
    while text[at] == SPACE:
        at += ONE
    minus = text[at] == 45
    if minus:
        at += ONE
    begun = at
    value, at = _digits(text, at, 0)
    if at == begun or (text[at] != SPACE and text[at] != END):
        return 0, np.uint64(len(text) - 1)
    return -value if minus else value, at


@njit(cache=True)
def read_real(text: Array, at: Any) -> Any:
    """The same of a number with a fraction or an exponent. Its digits are taken as one whole number
    where that is exact, and divided once.
    """
    while text[at] == SPACE:
        at += ONE
    minus = text[at] == 45
    if minus:
        at += ONE
    begun = at
    value, at = _digits(text, at, 0)
    digits: Any = np.int64(at - begun)
    shift: Any = 0
    if text[at] == POINT:
        at += ONE
        point = at
        value, at = _digits(text, at, value)
        shift = -np.int64(at - point)
        digits -= shift
    if digits == 0:
        return 0.0, np.uint64(len(text) - 1)
    found = float(value)
    if digits > MOST_DIGITS:
        found = _long(text, begun)
    if text[at] == 101 or text[at] == 69:
        at += ONE
        down = text[at] == 45
        if down or text[at] == 43:
            at += ONE
        exponent: Any = 0
        digit = np.uint8(text[at] - 48)
        while digit < 10:
            exponent = min(10 * exponent + digit, 1000)
            at += ONE
            digit = np.uint8(text[at] - 48)
        shift += -exponent if down else exponent
    if text[at] > SPACE:
        return 0.0, np.uint64(len(text) - 1)
    found = found / TENS[-shift] if -len(TENS) < shift <= 0 else found * 10.0**shift
    return -found if minus else found, at


@njit(cache=True)
def _long(text: Array, at: Any) -> float:
    """Digits with or without a point, as one number."""
    value = 0.0
    while text[at] == POINT or np.uint8(text[at] - 48) < 10:
        if text[at] != POINT:
            value = 10.0 * value + (text[at] - 48)
        at += ONE
    return value
