"""Every state that saves also restores, bit for bit, or into nothing at all."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rnnlab.errors import IncompatibleCheckpoint, InputError
from rnnlab.training.checkpoints import Checkpoints
from rnnlab.training.leaves import digest

DTYPES = (
    "bool", "int8", "uint8", "int16", "int32", "uint32", "float16", "bfloat16",
    "float32", "complex64",
)  # fmt: skip


@st.composite
def arrays(draw):
    """Draws an array of any dtype and shape, on the device or the host."""
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
    raw = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, 8 * 27)
    size = int(np.prod(shape, dtype=int)) * jnp.dtype(dtype).itemsize
    if dtype == "bool":
        raw = raw % 2
    array = np.frombuffer(raw.astype(np.uint8).tobytes()[:size], jnp.dtype(dtype))
    array = array.reshape(shape)
    return draw(st.sampled_from([np.asarray, jnp.asarray]))(array)


LEAVES = st.one_of(
    arrays(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.booleans(),
    st.builds(jax.random.key, st.integers(0, 2**32 - 1)),
    st.builds(lambda k: jax.random.key(k, impl="rbg"), st.integers(0, 9)),
    st.text(max_size=3),
    st.none(),
    st.sampled_from([np.float32(0.1), np.int64(-1), np.bool_(True), b"x", 1j]),
)
NAMES = st.text("abcdefgh.'[]/%\\ é", min_size=1, max_size=4)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(NAMES, inner, max_size=3),
    ),
    max_leaves=6,
)


def test_what_saves_restores(tmp_path, many, counted):
    tried = {"saved": 0, "refused": 0}

    @settings(
        max_examples=many(60, 500),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(TREES)
    def save(tree):
        number = sum(tried.values())
        with Checkpoints(tmp_path / str(number), 2) as checkpoints:
            try:
                checkpoints.save(1, {"state": tree}, {})
            except InputError as error:
                named = "['state']" in str(error) or "empty state" in str(error)
                assert named and len(str(error)) <= 600
                tried["refused"] += 1
                return
            checkpoints.wait()
            wanted = digest({"state": tree})
            assert digest(checkpoints.restore({"state": tree})) == wanted
        tried["saved"] += 1

    save()
    assert min(tried.values()) > 5
    counted("states of any form, saved or refused", sum(tried.values()))


def test_a_dtype_never_changes(tmp_path):
    with Checkpoints(tmp_path, 2) as checkpoints:
        checkpoints.save(1, {d: jnp.ones(3, d) for d in DTYPES}, {})
        stored = checkpoints.open()
    for old, new in itertools.permutations(DTYPES, 2):
        like = {d: jnp.ones(3, new if d == old else d) for d in DTYPES}
        told = rf"\['{old}'\]: {old}\[3\] vs {new}\[3\]"
        with pytest.raises(IncompatibleCheckpoint, match=told):
            stored.restore(like)
