"""Texts of different lengths side by side: each as if it were alone, and its score."""

import jax
import numpy as np
import pytest
from toy_model import Toy

from rnnlab.nn.generation import Sampling, read, sample, score
from rnnlab.nn.generation.reading import PIECE
from rnnlab.nn.generation.scoring import ROWS

MODEL = Toy(7)
PARAMS = MODEL.params()
RNG = np.random.default_rng(1)
LENGTHS = (3, PIECE + 5, 1, PIECE, 2 * PIECE + 1)
PROMPTS = [RNG.integers(MODEL.size, size=length) for length in LENGTHS]


def test_each_prompt_is_read_by_its_own_steps():
    place = read(MODEL, PARAMS, PROMPTS)
    np.testing.assert_array_equal(place.carries["steps"], LENGTHS)
    for row, prompt in enumerate(PROMPTS):
        log_p = jax.nn.log_softmax(place.logits[row])
        np.testing.assert_allclose(log_p, MODEL.log_p(PARAMS, prompt)[-1], atol=1e-4)
        alone = read(MODEL, PARAMS, [prompt])
        h = place.carries["h"][row]
        np.testing.assert_allclose(h, alone.carries["h"][0], atol=1e-6)


def test_what_fills_up_a_row_reaches_nothing():
    """Token 0 fills up: here it gives NaN, and no prompt has it."""
    spoiled = {**PARAMS, "embedding": PARAMS["embedding"].copy()}
    spoiled["embedding"][0] = np.nan
    rows = [prompt % (MODEL.size - 1) + 1 for prompt in PROMPTS]
    place = read(MODEL, spoiled, rows)
    for leaf in jax.tree.leaves(place):
        assert np.isfinite(leaf).all()


def test_texts_drawn_from_unequal_prompts_are_those_of_each_alone():
    def drawn(prompts):
        steps = sample(MODEL, PARAMS, prompts, 20, jax.random.key(0), Sampling(0.0))
        return np.stack(list(steps), axis=1)

    together = drawn(PROMPTS)
    assert len(np.unique(together)) > 2
    for row, prompt in enumerate(PROMPTS):
        np.testing.assert_array_equal(together[row], drawn([prompt])[0])


@pytest.mark.parametrize("prompt", PROMPTS[:2], ids=["short", "long"])
def test_a_score_is_the_sum_of_what_each_token_costs(prompt):
    texts = [RNG.integers(MODEL.size, size=n % 9 + 1) for n in range(ROWS + 3)]
    texts[5] = RNG.integers(MODEL.size, size=PIECE + 2)
    wanted = [MODEL.costs(PARAMS, prompt, text).sum() for text in texts]
    found = score(MODEL, PARAMS, prompt, texts)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("texts", [[], [[]], [[1], []], [[[1, 2]]], [3]])
def test_texts_without_a_token_are_refused(texts):
    with pytest.raises(ValueError, match="one token or more"):
        read(MODEL, PARAMS, texts)
