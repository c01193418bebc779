"""Rates for the leaves of a carry, and the random masks that they ask for."""

from typing import Any

import jax
import jax.numpy as jnp

from rnnlab.cell import Cell
from rnnlab.wrappers.wrapped import inside


def spread(
    name: str, cell: Cell[Any], rates: Any, alike: bool = True
) -> tuple[float, ...]:
    """Returns a rate for each leaf of the cell's carry.

    Args:
        name: of the wrapper, for its errors.
        cell: whose carry it is.
        rates: one number for all leaves, or a carry of numbers.
        alike: whether the rates are for units alone: a carry that has other leaves
            then takes no one number but zero.

    Raises:
        ValueError: a rate outside [0, 1), another structure than the carry's, or one
            rate for leaves that are not alike.
    """
    structure = jax.tree.structure(jax.eval_shape(lambda: cell.initial(())))
    leaves, given = jax.tree.flatten(rates)
    if given == jax.tree.structure(0.0):
        if alike and rates and not inside(cell).units:
            raise ValueError(
                f"{name} needs a rate for each leaf of the carry {_stars(structure)},"
                f" which are not all units, got {rates!r}; take 0 for the others."
            )
        leaves = leaves * structure.num_leaves
    elif given != structure:
        raise ValueError(
            f"{name} needs one rate, or one for each leaf of the carry"
            f" {_stars(structure)}, got {rates!r}; pass {name}(cell, 0.1), say."
        )
    for rate in leaves:
        if not 0 <= rate < 1:
            raise ValueError(
                f"{name} needs rates of at least 0 and below 1, got {rate!r}; pass the"
                f" share that is dropped, 0.1, say."
            )
    return tuple(float(rate) for rate in leaves)


def _stars(structure: Any) -> Any:
    return jax.tree.unflatten(structure, ["*"] * structure.num_leaves)


def kept(key: jax.Array, rates: tuple[float, ...], carry: Any, axes: Any) -> Any:
    """Returns for each leaf of the carry what is kept of it; None for a rate of 0.

    Args:
        key: draws the masks.
        rates: the share that is not kept, of each leaf.
        carry: leaves [B, ...].
        axes: in front of a leaf's own: (T,) for new masks at each step.

    Returns:
        A tuple of bool [*axes, B, ...], or None.
    """
    leaves = jax.tree.leaves(carry)
    return tuple(
        jax.random.bernoulli(k, 1 - rate, (*axes, *jnp.shape(leaf))) if rate else None
        for k, rate, leaf in zip(
            jax.random.split(key, len(leaves)), rates, leaves, strict=True
        )
    )
