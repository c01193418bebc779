"""Ids, lengths and marks that a program may hand in, each wrong in its own way."""

import numpy as np
from hypothesis import strategies as st

STEPS, ROWS, UNITS = 5, 3, 2
IDS = 40


def _set(value, dtype):
    def put(ids):
        ids = ids.astype(dtype)
        ids[len(ids) // 2] = value
        return ids

    return put


# Of right ids below 7: what becomes of them, and whether they are still right.
SPOILED_IDS = {
    "as they are": (lambda ids: ids, True),
    "of the other order of bytes": (lambda ids: ids.astype(">i4"), True),
    "every other one": (lambda ids: np.repeat(ids, 2)[::2], True),
    "read-only": (lambda ids: np.frombuffer(ids.astype("u1").tobytes(), "u1"), True),
    "unsigned": (lambda ids: ids.astype("u8"), True),
    "V": (_set(7, "i4"), False),
    "-1": (_set(-1, "i1"), False),
    "-1 in the other order": (_set(-1, ">i8"), False),
    "as 3 once it is cut to 32 bits": (_set(2**32 + 3, "i8"), False),
    "of 64 bits": (_set(2**63, "u8"), False),
    "the least": (_set(-(2**63), "i8"), False),
    "floats": (lambda ids: ids.astype("f4"), False),
    "NaN": (_set(np.nan, "f8"), False),
    "bools": (lambda ids: ids.astype(bool), False),
    "complex": (lambda ids: ids.astype("c8"), False),
    "objects": (lambda ids: ids.astype(object), False),
    "text": (lambda ids: ids.astype(str), False),
    "times": (lambda ids: ids.astype("m8[s]"), False),
    "of two axes": (lambda ids: ids[:, None], False),
    "of no axis": (lambda ids: ids[0], False),
    "none": (lambda ids: ids[:0], False),
    "one": (lambda ids: ids[:1], False),
}


@st.composite
def id_batches(draw):
    """Draws a way to spoil ids, rows, steps, and whether to train on them."""
    size = st.integers(1, 9) | st.integers(-2, 60)
    return draw(st.tuples(st.sampled_from([*SPOILED_IDS]), size, size, st.booleans()))


def _ints(least, most, shape=(ROWS,)):
    count = int(np.prod(shape))
    numbers = st.lists(st.integers(least, most), min_size=count, max_size=count)
    return numbers.map(lambda drawn: np.reshape(np.array(drawn, np.int64), shape))


def _bools(shape):
    return _ints(0, 1, shape).map(lambda drawn: drawn.astype(bool))


@st.composite
def lengths(draw):
    """Draws lengths, right or wrong."""
    right = draw(_ints(0, STEPS))
    wrong = [
        right - 1,
        right + 1,
        right + 2**32,
        right.astype("f4"),
        right.astype(bool),
        right + np.nan,
        right.astype("u8") + np.uint64(2**63),
        right[:-1],
        right[:, None],
        np.append(right, 1),
        right[0],
    ]
    kinds = [right.astype(kind) for kind in ("i1", "i4", "u2", ">i4")]
    return draw(st.sampled_from([right, *kinds, *kinds, *wrong]))


@st.composite
def marks(draw):
    """Draws which steps count, or begin anew, right or wrong."""
    right = draw(_bools((STEPS, ROWS)))
    wrong = [
        right.T,
        right[1:],
        right[:, :1],
        right[..., None],
        right.astype("f4"),
        np.where(right, 1, np.nan),
        right.astype("i4"),
        right.astype(str),
        True,
    ]
    return draw(st.sampled_from([right] * len(wrong) + wrong))


@st.composite
def inputs(draw):
    """Draws a sequence, right or wrong; NaN is right where it does not count."""
    right = draw(_ints(-3, 3, (STEPS, ROWS, UNITS))).astype("f4")
    wrong = [
        right[0],
        right[0, 0],
        right[:0],
        right[:, :-1],
        right[..., :-1],
        right[..., None],
        right.astype("i4"),
        right.astype("f2"),
        right.astype(bool),
        right.astype("c8"),
    ]
    return draw(st.sampled_from([right] * len(wrong) + wrong))


@st.composite
def sequences(draw):
    """Draws the arguments of `rnnlab.sequences.run`: x, and some of the marks."""
    given = {"lengths": lengths(), "valid": marks(), "reset": marks()}
    names = draw(st.lists(st.sampled_from([*given]), unique=True))
    return draw(inputs()), {name: draw(given[name]) for name in names}
