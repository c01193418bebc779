"""Expressions with brackets, of an exact length, modulo 5, grown on the device.

An expression of 1 to 4 symbols is d, -d, (d) or (-d) for a digit d, a longer one (e+e),
(e-e) or (e*e) for two expressions, whose lengths are drawn. The tree is a list of
nodes: each comes before its parts, so that a loop to the end writes the symbols and a
loop back finds the values.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from rnnlab.problems.formal.language import MODULUS

PLUS, MINUS, OPEN, CLOSE, TIMES = range(MODULUS, MODULUS + 5)
LETTERS = "01234+-()*"


class Tree(NamedTuple):
    """Nodes, [nodes] each; those of length 0 are not there.

    Attributes:
        first: where the node's symbols begin.
        size: how many they are.
        left: which node is the left part; the right part is the next one.
    """

    first: jax.Array
    size: jax.Array
    left: jax.Array


def expression(
    key: jax.Array, length: int, n: jax.Array, signs: int
) -> tuple[jax.Array, jax.Array]:
    """Returns the symbols of an expression, [length], and its value.

    Args:
        key: draws it.
        length: at least n.
        n: how many symbols it has, traced; those that follow mean nothing.
        signs: 2 for + and -, 3 for * as well.
    """
    of_sizes, of_digits, of_signs = jax.random.split(key, 3)
    nodes = 2 * ((length - 1) // 4) + 1  # a sign costs three symbols and a digit
    parts = jax.random.uniform(of_sizes, (nodes,))
    digits = jax.random.randint(of_digits, (nodes,), 0, MODULUS)
    drawn = jax.random.randint(of_signs, (nodes,), 0, signs)
    tree = _grown(parts, n)
    return _written(tree, length, digits, drawn), _value(tree, digits, drawn)


def _grown(parts: jax.Array, n: jax.Array) -> Tree:
    """Returns the tree; a part is what the left one takes of what there is to share."""
    none = jnp.zeros(len(parts), jnp.int32)

    def split(i, state):
        tree, made = state
        size, first = tree.size[i], tree.first[i]
        free = size - 4  # left is 1 to size - 4, and right the rest but for ( ? )
        part = 1 + jnp.minimum(jnp.floor(parts[i] * free).astype(jnp.int32), free - 1)
        at = jnp.where(free > 0, made + jnp.arange(2), len(parts))  # past it: dropped
        grown = Tree(
            tree.first.at[at].set(
                jnp.stack([first + 1, first + part + 2]), mode="drop"
            ),
            tree.size.at[at].set(jnp.stack([part, size - part - 3]), mode="drop"),
            tree.left.at[i].set(made),
        )
        return grown, jnp.where(free > 0, made + 2, made)

    start = Tree(none, none.at[0].set(n), none)
    return jax.lax.fori_loop(0, len(parts), split, (start, jnp.int32(1)))[0]


def _written(tree: Tree, length: int, digits: jax.Array, drawn: jax.Array) -> jax.Array:
    """Returns the symbols, [length]; each node writes its own brackets and sign."""
    first, size, left = tree
    inner = size > 4
    middle = jnp.where(inner, tree.first[left + 1] - 1, first + size // 2)
    signs = jnp.asarray([PLUS, MINUS, TIMES])[drawn]
    symbols = jnp.zeros(length, jnp.int32)
    for written, at, symbol in (
        (size > 2, first, OPEN),
        (size > 2, first + size - 1, CLOSE),
        ((size == 2) | (size == 4), middle - 1, MINUS),
        (size > 0, middle, jnp.where(inner, signs, digits)),
    ):
        symbols = symbols.at[jnp.where(written, at, length)].set(symbol, mode="drop")
    return symbols


def _value(tree: Tree, digits: jax.Array, drawn: jax.Array) -> jax.Array:
    """Returns the value of the first node; parts have theirs before it is its turn."""
    leaves = jnp.where(tree.size % 2 == 0, -digits, digits) % MODULUS

    def combine(j, values):
        i = len(values) - 1 - j
        left, right = values[tree.left[i]], values[tree.left[i] + 1]
        options = jnp.stack([left + right, left - right, left * right])
        value = options[drawn[i]] % MODULUS
        return values.at[i].set(jnp.where(tree.size[i] > 4, value, values[i]))

    return jax.lax.fori_loop(0, len(digits), combine, leaves)[0]
