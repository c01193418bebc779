"""A cell with its parameters, one way or both ways, as Flax linen modules."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from rnnlab.cell import Cell
from rnnlab.engines import Engine, Scan
from rnnlab.engines.engine import shape_of
from rnnlab.probes.gradients import Tapped
from rnnlab.sequences import flip, run
from rnnlab.weights import weight_drop
from rnnlab.wrappers import is_random


class Recurrent(nn.Module):
    """One layer: a cell, executed over time by an engine.

    The gradient by its carry at every step is that by the variable `carry` of the
    collection `taps`, where there is one: see `rnnlab.nn.taps`.

    Attributes:
        cell: what a step computes.
        engine: how the steps are executed.
        weight_drop: the share of the entries of `recurrent` that are zero for a
            sequence in training.
    """

    cell: Cell[Any]
    engine: Engine = Scan()
    weight_drop: float = 0.0

    @nn.compact
    def __call__(
        self,
        carry: Any,
        x: jax.Array,
        *,
        lengths: jax.Array | None = None,
        valid: jax.Array | None = None,
        reset: jax.Array | None = None,
        train: bool = False,
    ) -> tuple[Any, Any]:
        """Returns the last carry and y: [T, B, I] -> [T, B, H].

        `lengths`, `valid` and `reset` are those of `rnnlab.sequences.run`. In training
        dropout, zoneout and weight drop need `rngs={"dropout": key}` of `apply`.

        Args:
            carry: before the first step; None for the cell's start, for x with as
                many batch axes as stand between time and features.
            x: [T, B, I].
            lengths: int [B], the steps of each row that count.
            valid: bool [T, B], the steps that count.
            reset: bool [T, B], steps before which the carry is the start again.
            train: whether the cell's wrappers drop anything.
        """
        params = self.param("cell", self.cell.init, x.shape[-1])
        carry = self.begin(params, carry, x)
        if train and self.weight_drop:
            key = self.make_rng("dropout")
            params = weight_drop(key, params, self.weight_drop)
        key = self.make_rng("dropout") if train and is_random(self.cell) else None
        engine = self.engine
        if self.has_variable("taps", "carry"):
            engine = Tapped(engine, self.get_variable("taps", "carry"))
        return run(
            engine,
            self.cell,
            params,
            carry,
            x,
            lengths=lengths,
            valid=valid,
            reset=reset,
            key=key,
        )

    @nn.nowrap
    def begin(self, params: Any, carry: Any, x: jax.Array) -> Any:
        """Returns the carry, or for None the cell's start for the batch axes of x."""
        if carry is not None:
            return carry
        leaves = jax.tree.leaves(jax.eval_shape(lambda: self.cell.initial(())))
        # Some carries hold matrices, but none holds them alone: the array with the
        # fewest axes has those of a step's input, one or, of a grid's cells, three.
        own = min(leaf.ndim for leaf in leaves)
        return self.cell.start(params, shape_of(x)[1 : x.ndim - own], x.dtype)


class Bidirectional(nn.Module):
    """Two layers, one of which reads each row from its end; outputs side by side.

    Attributes:
        forward: the cell that reads from the first step on.
        backward: the cell that reads from the last step that counts.
        engine: how their steps are executed.

    References:
        Schuster, Paliwal, Bidirectional recurrent neural networks, 1997,
        https://doi.org/10.1109/78.650093
    """

    forward: Cell[Any]
    backward: Cell[Any]
    engine: Engine = Scan()

    @nn.compact
    def __call__(
        self,
        carries: Any,
        x: jax.Array,
        *,
        lengths: jax.Array | None = None,
        train: bool = False,
    ) -> tuple[Any, jax.Array]:
        """Returns both last carries and y: [T, B, I] -> [T, B, 2H].

        Args:
            carries: of the forward and of the backward cell; None for their starts.
            x: [T, B, I].
            lengths: int [B], the steps of each row that count; each row is read
                backward from the last of them.
            train: whether the cells' wrappers drop anything.
        """
        first, second = (None, None) if carries is None else carries
        ahead = Recurrent(self.forward, self.engine, name="forward_layer")
        back = Recurrent(self.backward, self.engine, name="backward_layer")
        first, y = ahead(first, x, lengths=lengths, train=train)
        second, z = back(second, flip(x, lengths), lengths=lengths, train=train)
        return (first, second), jnp.concatenate([y, flip(z, lengths)], axis=-1)
