"""Single units over a text: what they hold, what they follow, and the page."""

import base64
import json
import re

import jax
import numpy as np
import pytest

from launch.held import held
from launch.parts.properties import properties
from launch.parts.units import correlations, page, units
from rnnlab.cells import GRU, LRU, LSTM, MLSTM
from rnnlab.errors import InputError
from rnnlab.nn import LanguageModel, Softmax, Stack

V = 7
IDS = np.random.default_rng(0).integers(V, size=9)


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("place in the line", "ab\ncd", [1, 2, 0, 1, 2]),
        ("place in the word", "ab, cd", [1, 2, 0, 0, 1, 2]),
        ("place in the sentence", "a. b", [1, 0, 1, 2]),
        ('inside "quotes"', 'a"bc"d', [0, 1, 1, 1, 0, 0]),
        ('inside "quotes"', '"a\nb"', [0, 0, 0, 0, 0]),
        ('inside "quotes"', '"a""b', [1, 1, 0, 0, 0]),
        ("open brackets", "(a[b)])c", [1, 1, 2, 2, 1, 0, 0, 0]),
        ("open brackets", "(a\nb", [1, 1, 0, 0]),
        ("indentation", "  a b\n c", [1, 2, 2, 2, 2, 0, 1, 1]),
        ("a space", "a \nb", [0, 1, 1, 0]),
        ("a capital", "aBc", [0, 1, 0]),
        ("a digit", "a1", [0, 1]),
        ("punctuation", "a,b ", [0, 1, 0, 0]),
        ("a vowel", "abE", [1, 0, 1]),
    ],
)
def test_properties_by_hand(name, text, wanted):
    assert properties(list(text))[name].tolist() == wanted


def test_a_piece_of_several_characters_counts_at_its_end():
    assert properties(["ab", "c d", "\n"])["place in the line"].tolist() == [2, 5, 0]


def test_correlations_are_numpy_s():
    rng = np.random.default_rng(1)
    values, of = rng.normal(size=(50, 3)), rng.normal(size=50)
    values[:, 1] = 2.0  # never changes
    wanted = [np.corrcoef(values[:, k], of)[0, 1] if k != 1 else 0 for k in range(3)]
    np.testing.assert_allclose(correlations(values, of), wanted, atol=1e-12)
    assert not correlations(values, np.ones(50)).any()


def test_the_unit_that_follows_something_comes_first():
    text = list('say "this" and "that" (or not) 12\n' * 3)
    quotes = properties(text)['inside "quotes"']
    noise = np.random.default_rng(2).normal(size=(len(text), 4))
    noise[:, 2] = 3 - 4 * quotes
    found = units({"layer 0 c": noise}, text)
    assert (
        found[0].name == "tanh of layer 0 c 2" and found[0].knows == 'inside "quotes"'
    )
    assert found[0].correlation < -0.98
    np.testing.assert_allclose(found[0].values, np.tanh(3 - 4 * quotes))
    assert len(found) == 4


@pytest.mark.parametrize("cells", [(LSTM(5), GRU(4)), (LRU(5),)], ids=str)
def test_what_is_held_is_the_carry_after_each_token(cells):
    model = LanguageModel(5, Stack(cells), Softmax(V))
    carries = model.initial((1,))
    params = model.init(jax.random.key(0), carries, IDS[:, None])["params"]
    found = held(model, params, IDS)
    step = jax.jit(
        lambda carries, ids: model.apply({"params": params}, carries, ids)[0]
    )
    for t, token in enumerate(IDS):
        carries = step(carries, token[None, None])
        wanted = [leaf[0] for leaf in jax.tree.leaves(carries)]
        for (name, values), leaf in zip(found.items(), wanted, strict=True):
            np.testing.assert_allclose(values[t], leaf, rtol=1e-5, atol=1e-6)
            assert name.startswith("layer ")


def test_a_matrix_is_no_row_of_units():
    model = LanguageModel(4, Stack((MLSTM(4),)), Softmax(V))
    params = model.init(jax.random.key(0), model.initial((1,)), IDS[:, None])["params"]
    names = [*held(model, params, IDS)]
    assert names and all(
        values.ndim == 2 for values in held(model, params, IDS).values()
    )


def test_a_model_without_layers_is_refused():
    model = LanguageModel(4, Stack(()), Softmax(V))
    params = model.init(jax.random.key(0), (), IDS[:, None])["params"]
    with pytest.raises(InputError, match="their units, got a Stack without; name"):
        held(model, params, IDS)


def test_the_page_holds_the_values_and_no_markup_of_the_text():
    pieces = ["</script>", "<img src=x>", "\n", "a"]
    values = np.array([[-1.0, 0.5, 0.25, 1.0], [0.0, 0.1, 2.0, -0.3]]).T
    found = units({"h": values[:, :1], "g": values[:, 1:]}, pieces)
    text = page("Units of <b>", {"model": "<i>"}, found, pieces)
    assert "<img" not in text and "<i>" not in text and "<b>" not in text
    known = json.loads(re.search(r'id="data">(.*?)</script>', text).group(1))
    assert known["pieces"] == pieces
    held = np.frombuffer(base64.b64decode(known["values"]), np.int8)
    wanted = np.stack([unit.values for unit in found])
    np.testing.assert_allclose(held.reshape(2, 4) / known["steps"], wanted, atol=0.006)
    assert [name for name, *_ in known["units"]] == [unit.name for unit in found]
