"""Sampled text: greedy equals an argmax by hand, draws follow the distribution."""

import functools

import jax
import numpy as np
import pytest

from rnnlab.cells import Elman
from rnnlab.errors import InputError
from rnnlab.nn import LanguageModel, Softmax, Stack
from rnnlab.nn.generation import Sampling, sample
from rnnlab.nn.generation.drawing import CHUNK
from rnnlab.nn.generation.sampling import draw as draw_by

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
    return np.stack(list(sample(MODEL, params(), PROMPT.T, length, key, sampling)))


def probabilities(temperature, top_k, top_p, min_p=None):
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
    if min_p is not None:
        p[p < min_p * p.max()] = 0
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
    (1.0, None, None, None),
    (0.5, None, None, None),
    (1.0, 1, None, None),
    (1.0, 3, None, None),
    (1.0, 50, None, None),
    (1.0, None, 0.6, None),
    (1.0, None, 1.0, None),
    (2.0, 5, 0.7, None),
    (1.0, None, None, 0.1),
    (0.5, None, None, 0.3),
    (1.0, None, None, 1.0),
    (2.0, 6, 0.9, 0.4),
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_filter_leaves_the_distribution(settings):
    p = jax.nn.softmax(Sampling(*settings).filter(LOGITS))
    wanted = probabilities(*settings)
    np.testing.assert_allclose(p, wanted, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(p == 0, wanted == 0)


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"), [(0.5, None, None), (2.0, 5, 0.7)]
)
def test_draws_follow_the_distribution(temperature, top_k, top_p):
    wanted = probabilities(temperature, top_k, top_p)
    sampling = Sampling(temperature, top_k, top_p)
    prompt = np.zeros((400, 1), np.int32)
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


def test_nucleus_is_that_of_a_sort_for_each_row_of_many():
    logits = np.random.default_rng(3).normal(size=(4, 1000)).astype(np.float32) * 3
    for top_p in (0.1, 0.5, 0.95):
        kept = np.isfinite(Sampling(top_p=top_p).filter(logits))
        for row in range(4):
            p = np.exp(np.float64(logits[row]))
            held = np.cumsum(np.sort(p / p.sum())[::-1])
            assert kept[row].sum() == np.searchsorted(held, top_p) + 1
            assert p[kept[row]].min() > p[~kept[row]].max()


@pytest.mark.parametrize("size", [1, 2, 3, 9, 10, 97])
def test_draw_finds_the_token_at_each_share_of_its_block(size):
    rng = np.random.default_rng(size)
    logits = rng.normal(size=size).astype(np.float32)
    logits[rng.random(size) < 0.3] = -np.inf
    logits[rng.integers(size)] = 0.0
    at = (np.arange(200, dtype=np.float32) + 0.5) / 200
    u = np.stack([block.ravel() for block in np.meshgrid(at, at)])[..., None]
    tokens = draw_by(np.broadcast_to(logits, (200**2, size)), u)
    share = np.bincount(tokens, minlength=size) / 200**2
    p = np.exp(np.float64(logits))
    np.testing.assert_allclose(share, p / p.sum(), atol=0.01)
    assert not share[p == 0].any()


def test_draw_at_the_ends_takes_no_token_that_is_filtered():
    logits = np.array([-np.inf, 0, -200, -np.inf, 1, 0.5, -np.inf, -np.inf, -np.inf])
    ends = np.array([0, 1 - 2**-23, 1 - 2**-24], np.float32)
    u = np.stack([end.ravel() for end in np.meshgrid(ends, ends)])[..., None]
    logits = np.broadcast_to(logits.astype(np.float32), (9, 9))
    assert set(draw_by(logits, u).tolist()) <= {1, 4, 5}


@pytest.mark.parametrize("window", [None, 1, 3, 100])
def test_the_penalty_is_that_of_the_tokens_so_far(window):
    penalty, length = 1.7, CHUNK + 5
    settings = Sampling(0.0, repetition_penalty=penalty, repetition_window=window)
    prompts = [PROMPT[:3, 0], PROMPT[:, 1]]
    key = jax.random.key(0)
    drawn = sample(MODEL, memoryless(), prompts, length, key, settings)
    for prompt, tokens in zip(prompts, np.stack(list(drawn), axis=1), strict=True):
        said = prompt.tolist()
        for token in tokens:
            logits = LOGITS.copy()
            for old in set(said if window is None else said[-window:]):
                logits[old] *= 1 / penalty if logits[old] > 0 else penalty
            assert token == np.argmax(logits)
            said.append(int(token))
    assert (LOGITS < 0).any() and (LOGITS > 0).any()


def test_length_need_not_be_a_multiple_of_the_chunk():
    whole = draw(Sampling(), 2 * CHUNK)
    assert whole.shape == (2 * CHUNK, B)
    for length in (1, CHUNK - 1, CHUNK, LENGTH):
        np.testing.assert_array_equal(draw(Sampling(), length), whole[:length])
    assert not list(sample(MODEL, params(), PROMPT.T, 0, jax.random.key(0), Sampling()))


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
     ("top_p", 0.0), ("top_p", -0.1), ("top_p", float("nan")), ("top_p", 1.5),
     ("min_p", 0.0), ("min_p", -0.1), ("min_p", 1.01), ("min_p", float("nan")),
     ("repetition_penalty", 0.9), ("repetition_penalty", float("inf")),
     ("repetition_penalty", None), ("repetition_window", 0)],
)  # fmt: skip
def test_bad_settings_are_named(name, value):
    with pytest.raises(InputError) as error:
        Sampling(**{name: value})
    assert f"--{name}" in str(error.value) and repr(value) in str(error.value)


def test_a_window_without_a_penalty_is_refused():
    with pytest.raises(InputError, match="--repetition_window needs"):
        Sampling(repetition_window=5)
