"""Sampled text: greedy equals an argmax by hand, draws follow the distribution."""

import functools

import jax
import numpy as np
import pytest

from rnnlab.cells import Elman
from rnnlab.errors import InputError
from rnnlab.nn import LanguageModel, Softmax, Stack
from rnnlab.nn.sampling import CHUNK, Sampling, sample

V, H, B = 9, 5, 3
MODEL = LanguageModel(H, Stack((Elman(H),)), Softmax(V))
PROMPT = np.random.default_rng(0).integers(V, size=(4, B))
LENGTH = CHUNK + 5
LOGITS = np.random.default_rng(1).normal(size=V).astype(np.float32) * 1.5


@functools.lru_cache
def params():
    rng, carries = np.random.default_rng(2), MODEL.initial((B,))
    shapes = jax.eval_shape(MODEL.init, jax.random.key(0), carries, PROMPT)["params"]
    return jax.tree.map(lambda s: rng.normal(size=s.shape).astype(np.float32), shapes)


@functools.lru_cache
def memoryless():
    """Whatever was read, the next token's logits are LOGITS."""
    zeros = jax.tree.map(np.zeros_like, params())
    return zeros | {"output": zeros["output"] | {"bias": LOGITS}}


def draw(sampling, length=LENGTH, seed=0):
    key = jax.random.key(seed)
    return np.stack(list(sample(MODEL, params(), PROMPT, length, key, sampling)))


def probabilities(temperature, top_k, top_p):
    """What may be drawn and how often, in plain NumPy."""
    p = np.exp(np.float64(LOGITS) / temperature)
    p /= p.sum()
    order = np.argsort(-p)
    if top_k is not None:
        p[order[top_k:]] = 0
        p /= p.sum()
    if top_p is not None:
        count = np.searchsorted(np.cumsum(p[order]), top_p) + 1
        p[order[count:]] = 0
        p /= p.sum()
    return p


def test_temperature_zero_is_the_argmax():
    p, h, wanted = params(), np.zeros((B, H)), []
    cell = p["stack"]["Recurrent_0"]["cell"]
    tokens = list(PROMPT)
    for t in range(len(PROMPT) + LENGTH - 1):
        x = p["embedding"][tokens[t]]
        h = np.tanh(x @ cell["kernel"] + cell["bias"] + h @ cell["recurrent"])
        if t >= len(PROMPT) - 1:
            tokens.append(
                np.argmax(h @ p["output"]["decoder"].T + p["output"]["bias"], axis=-1)
            )
    wanted = np.stack(tokens[len(PROMPT) :])
    assert len(np.unique(wanted)) > 2
    for seed in (0, 1):
        np.testing.assert_array_equal(draw(Sampling(temperature=0), seed=seed), wanted)


SETTINGS = [
    (1.0, None, None),
    (0.5, None, None),
    (1.0, 1, None),
    (1.0, 3, None),
    (1.0, 50, None),
    (1.0, None, 0.6),
    (1.0, None, 1.0),
    (2.0, 5, 0.7),
]


@pytest.mark.parametrize(("temperature", "top_k", "top_p"), SETTINGS)
def test_filter_leaves_the_distribution(temperature, top_k, top_p):
    p = jax.nn.softmax(Sampling(temperature, top_k, top_p).filter(LOGITS))
    wanted = probabilities(temperature, top_k, top_p)
    np.testing.assert_allclose(p, wanted, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(p == 0, wanted == 0)


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"), [(0.5, None, None), (2.0, 5, 0.7)]
)
def test_draws_follow_the_distribution(temperature, top_k, top_p):
    wanted = probabilities(temperature, top_k, top_p)
    sampling = Sampling(temperature, top_k, top_p)
    prompt = np.zeros((1, 400), np.int32)
    drawn = sample(MODEL, memoryless(), prompt, LENGTH, jax.random.key(7), sampling)
    drawn = np.concatenate(list(drawn))
    share = np.bincount(drawn, minlength=V) / drawn.size
    assert not share[wanted == 0].any()
    deviation = np.sqrt(wanted * (1 - wanted) / drawn.size)
    assert np.all(np.abs(share - wanted) <= 5 * deviation)


@pytest.mark.parametrize("top_p", [0.05, 0.3, 0.6, 0.9, 0.999])
def test_nucleus_is_the_smallest_set_that_holds_top_p(top_p):
    kept = np.isfinite(Sampling(top_p=top_p).filter(LOGITS))
    np.testing.assert_array_equal(kept, probabilities(1.0, None, top_p) > 0)


def test_length_need_not_be_a_multiple_of_the_chunk():
    whole = draw(Sampling(), 2 * CHUNK)
    assert whole.shape == (2 * CHUNK, B)
    for length in (1, CHUNK - 1, CHUNK, LENGTH):
        np.testing.assert_array_equal(draw(Sampling(), length), whole[:length])
    assert not list(sample(MODEL, params(), PROMPT, 0, jax.random.key(0), Sampling()))


def test_same_key_same_text():
    first, second = draw(Sampling()), draw(Sampling())
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, draw(Sampling(), seed=1))
    assert not np.array_equal(first[:5], first[CHUNK:])  # a key for each chunk


@pytest.mark.parametrize(
    ("name", "value"),
    [("temperature", -0.5), ("temperature", float("nan")),
     ("temperature", float("inf")), ("temperature", None), ("temperature", "hot"),
     ("top_k", 0), ("top_k", -1), ("top_k", 2.5), ("top_k", True),
     ("top_p", 0.0), ("top_p", -0.1), ("top_p", float("nan"))],
)  # fmt: skip
def test_bad_settings_are_named(name, value):
    with pytest.raises(InputError) as error:
        Sampling(**{name: value})
    assert f"--{name}" in str(error.value) and repr(value) in str(error.value)
