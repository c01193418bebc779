"""What is asked of a word follows from it: worked out from its letters, row by row."""

import functools
import math
import re

import jax
import numpy as np
import pytest
from draws import ALL, LENGTH, sample

from rnnlab.problems import FORMAL
from rnnlab.problems.formal.binary import _said
from rnnlab.problems.formal.language import nats


@functools.cache
def words(name):
    """Returns pairs of a word in letters and its answers, as a string of digits."""
    return spelled(
        ALL[name], jax.tree.map(lambda leaf: leaf[:, :1000], sample(ALL[name]))
    )


def spelled(problem, draw):
    """Returns these of a draw."""
    (x, y, counts), length = draw, problem.length
    assert len(x) == length + len(y)
    letters, pairs = np.array([*problem.alphabet, "_", "?"]), []
    for row in range(x.shape[1]):
        line = "".join(letters[x[:, row].argmax(-1)])
        assert line[length:] == "?" * len(y)
        word = line[:length].lstrip("_")
        assert "_" not in word
        asked = int(counts[:, row].sum())
        assert (counts[:asked, row] == 1).all()
        pairs.append((word, "".join(map(str, y[:asked, row]))))
    return pairs


def value(text):
    """Returns what Python makes of an expression, modulo 5."""
    assert re.fullmatch(r"[0-4()+*-]+", text)
    return eval(text) % 5


def stack(word):
    bits = []
    for letter in word:
        if letter == ".":
            bits = bits[:-1]
        else:
            bits.append(letter.replace("o", "0").replace("i", "1"))
    return "".join(reversed(bits)) + "2"


def hidden(word):
    half = len(word) // 2
    place = word.index("?")
    return word[(place + half) % (2 * half)]


def solved(word):
    left, right = word.split("=")
    found = [d for d in range(5) if value(left.replace("x", str(d))) == int(right)]
    assert len(found) == 1
    return str(found[0])


def number(bits):
    return int(bits[::-1], 2)  # the lowest bit is the first


def binary(result):
    return f"{result:b}"[::-1] + "2"


def added(word):
    return binary(sum(map(number, word.split("+"))))


def multiplied(word):
    return binary(math.prod(map(number, word.split("*"))))


def root(word):
    return f"{math.isqrt(int(word, 2)):0{(len(word) + 1) // 2}b}"


def pairs(word):
    return str(sum(a != b for a, b in zip(word, word[1:], strict=False)) % 2)


ANSWERS = {
    "even_pairs": pairs,
    "modular_arithmetic": lambda word: str(value(word)),
    "parity_check": lambda word: str(word.count("1") % 2),
    "cycle_navigation": lambda word: str((word.count("+") - word.count("-")) % 5),
    "stack_manipulation": stack,
    "reverse_string": lambda word: word[::-1],
    "modular_arithmetic_brackets": lambda word: str(value(word)),
    "solve_equation": solved,
    "duplicate_string": lambda word: word + word,
    "missing_duplicate": hidden,
    "odds_first": lambda word: word[::2] + word[1::2],
    "binary_addition": added,
    "binary_multiplication": multiplied,
    "compute_sqrt": root,
    "bucket_sort": lambda word: "".join(sorted(word)),
}
LENGTHS = {
    "modular_arithmetic": {1, 3, 5, 7, 9, 11},
    "missing_duplicate": {*range(2, LENGTH + 1)},
    "binary_addition": {*range(3, LENGTH + 1)},
    "binary_multiplication": {*range(3, LENGTH + 1)},
    "solve_equation": {*range(3, LENGTH + 1)},
}
SHAPES = {  # what a word looks like, beyond its alphabet
    "modular_arithmetic": r"[0-4]([-+*][0-4])*",
    "stack_manipulation": r"[01]+[.oi]*",
    "missing_duplicate": r"[01]*\?[01]*\.?",
    "binary_addition": r"[01]+\+[01]+",
    "binary_multiplication": r"[01]+\*[01]+",
    "solve_equation": r"[-+()0-4x]+=[0-4]",
}


@pytest.mark.parametrize("name", FORMAL)
def test_answers_follow_from_words(name):
    shape = SHAPES.get(name, ".+")
    for word, answers in words(name):
        assert re.fullmatch(shape, word), word
        assert answers == ANSWERS[name](word), word


@pytest.mark.parametrize("name", FORMAL)
def test_all_lengths_occur(name):
    assert {len(word) for word, _ in words(name)} == LENGTHS.get(
        name, {*range(1, LENGTH + 1)}
    )


@pytest.mark.parametrize("name", FORMAL)
def test_words_use_the_whole_alphabet(name):
    assert {*"".join(word for word, _ in words(name))} == {*FORMAL[name].alphabet}


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("binary_multiplication", 90),  # numbers that fit no integer of the machine
        ("compute_sqrt", 89),
        ("solve_equation", 41),
    ],
)
def test_long_words(name, length):
    problem = FORMAL[name](length)
    draw = jax.jit(problem.draw, static_argnums=1)(jax.random.key(0), 200)
    for word, answers in spelled(problem, jax.tree.map(np.asarray, draw)):
        assert answers == ANSWERS[name](word), word


def test_a_floor_of_products_that_are_drawn_is_near_that_of_all():
    problem = FORMAL["binary_multiplication"](14)
    drawn = nats(_said(problem._drawn(), problem.places))
    assert drawn == pytest.approx(problem.floor, abs=0.003)


def test_short_expressions_have_the_forms_that_there_are():
    forms = {1: "d", 2: "-d", 3: r"\(d\)", 4: r"\(-d\)", 5: r"\(d[-+*]d\)"}
    seen = {size: set() for size in forms}
    for word, _ in words("modular_arithmetic_brackets"):
        if len(word) in forms:
            assert re.fullmatch(forms[len(word)].replace("d", "[0-4]"), word)
            seen[len(word)].add(word)
    assert [len(seen[size]) for size in range(1, 5)] == [5] * 4 and len(seen[5]) > 40
