"""What an engine is, and what all engines do before and after the time loop."""

from collections.abc import Callable
from typing import Any, ClassVar, Protocol, TypeVar

import jax
import jax.numpy as jnp
from jax.interpreters import ad
from jax.sharding import AxisType

from rnnlab.cell import Cell, Params

Carry = TypeVar("Carry")


class Engine(Protocol):
    """Executes a cell over time; a frozen dataclass of the knobs it has.

    Attributes:
        runs: the structure that a cell must have: Cell, SplitCell or LinearCell.
    """

    runs: ClassVar[type[Cell[Any]]]

    def __call__(
        self, cell: Cell[Carry], params: Params, carry: Carry, x: Any
    ) -> tuple[Carry, Any]:
        """Returns the last carry and the outputs of all steps.

        Args:
            cell: what a step computes.
            params: its parameters, as `cell.init` returns them.
            carry: the state before the first step, as `cell.initial((B,))` returns it.
            x: the input sequence, [T, B, I], or what else the cell takes: leaves
                [T, B, ...], the first of them x itself.

        Returns:
            The carry after step T, and y, [T, B, H].

        Raises:
            TypeError: the cell has not the structure that the engine needs.
            ValueError: the carry does not fit the cell, or x is not a sequence.
        """
        ...


def ready(
    engine: Engine, cell: Cell[Carry], params: Params, carry: Carry, x: Any
) -> Params:
    """Returns what the steps use of the parameters, where all fits; raises otherwise.

    That the engine runs the cell, and that `carry` and a step of `x` fit it, is seen
    in shapes alone, while tracing: a mismatch inside a compiled loop would be reported
    in terms of the loop.
    """
    if not isinstance(cell, engine.runs):
        raise TypeError(
            f"{type(engine).__name__}() needs a {engine.runs.__name__}, got {cell};"
            f" use Scan() for any Cell."
        )
    shape = shape_of(x)
    if len(shape) < 2 or shape[0] < 1:
        raise ValueError(
            f"An engine needs a sequence [T, B, I] with T of at least 1, got x of shape"
            f" {shape}; put the time axis first and add a batch axis with x[:, None]."
        )
    own = jax.eval_shape(lambda: cell.initial(()))
    if jax.tree.structure(own) != jax.tree.structure(carry):
        raise ValueError(
            f"{cell} carries {_describe(own)} a row, got {_describe(carry)};"
            f" take the carry from cell.initial(batch) or from an earlier call."
        )
    batch = shape[1 : 1 + batch_axes(cell, carry)]
    wanted = jax.eval_shape(lambda: cell.initial(batch))
    if _shapes(wanted) == _shapes(carry):

        def one(params, carry, x):
            own = cell.prepare(params)
            return cell.step(own, carry, cell.project(own, x))[0]

        try:
            with jax.numpy_dtype_promotion(_promotion((params, carry, x))):
                wanted = jax.eval_shape(one, params, carry, at(x, 0))
        except jax.dtypes.TypePromotionError as error:
            raise ValueError(
                f"{cell} promotes no dtype silently, got params of"
                f" {_kinds(params)}, a carry of {_kinds(carry)}, x of {_kinds(x)}; cast"
                f" them to one dtype, or wrap the cell in mixed(cell, compute, carry)."
            ) from error
        except KeyError as error:
            raise ValueError(
                f"{cell} needs params with {error}, got {_names(params)}; draw them"
                f" with cell.init(key, {shape[-1]})."
            ) from error
        except TypeError as error:  # JAX's, on shapes that no operation takes
            raise ValueError(
                f"{cell} with these params takes no step on x of shape {shape}"
                f" ({error}); draw them with cell.init(key, {shape[-1]})."
            ) from error
    if _shapes(wanted) != _shapes(carry):
        raise ValueError(
            f"{cell} on x of shape {shape} carries {_describe(wanted)}, got"
            f" {_describe(carry)}; take the carry from cell.initial(x.shape[1:-1])."
        )
    if _dtypes(wanted) != _dtypes(carry):
        raise ValueError(
            f"{cell} with these params and x carries {_describe(wanted)}, got a carry"
            f" of {_describe(carry)}; cast them to one dtype."
        )
    return cell.prepare(params)


def reverse_only(engine: Engine, *trees: Any) -> None:
    """Raises TypeError where the engine is called within forward-mode alone.

    Within `jax.jvp` of a compiled function it cannot be seen here, and JAX's own error
    is that of a custom_vjp. Forward over reverse, as in `jax.hessian`, works.
    """
    if any(isinstance(leaf, ad.JVPTracer) for leaf in jax.tree.leaves(trees)):
        name = type(engine).__name__
        raise TypeError(
            f"{name}() has no forward-mode derivative, got a call within jax.jvp; use"
            f" Scan() there, or jax.grad, jax.vjp and jax.hessian with {name}()."
        )


def shape_of(x: Any) -> tuple[int, ...]:
    """Returns the shape of a sequence: of its first leaf, x itself, [T, B, I]."""
    return jnp.shape(jax.tree.leaves(x)[0])


def at(x: Any, t: int) -> Any:
    """Returns the leaves at step t."""
    return jax.tree.map(lambda leaf: leaf[t], x)


def project(cell: Cell[Carry], params: Params, carry: Carry, x: Any) -> Any:
    """Returns `cell.project` of all steps at once, leaves [T, B, ...].

    Time and the first batch axis are one axis inside: the weight gradient is then a
    product over one contracted axis, which XLA runs up to 1.5 times as fast on a CPU
    as one over two.
    """
    if batch_axes(cell, carry) == 0 or spread(x):
        return cell.project(params, x)
    u = cell.project(params, merge(x))
    steps_rows = shape_of(x)[:2]
    return jax.tree.map(lambda leaf: leaf.reshape(*steps_rows, *leaf.shape[1:]), u)


def merge(tree: Any) -> Any:
    """Returns each leaf with its first two axes as one, [T, B, ...] -> [T * B, ...]."""
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), tree)


def spread(tree: Any) -> bool:
    """Returns whether leaves may lie in parts on several devices, as their types say.

    Time and a batch axis in parts do not become one axis in place: JAX would gather
    the whole on every device, or, where the axes of the mesh are explicit, refuse.
    """
    meshes = {jax.typeof(leaf).sharding.mesh for leaf in jax.tree.leaves(tree)}
    return any(
        size > 1 and kind != AxisType.Manual
        for mesh in {jax.sharding.get_abstract_mesh(), *meshes}
        for size, kind in zip(mesh.axis_sizes, mesh.axis_types, strict=True)
    )


def by_chunk(
    run: Callable[[Carry, Any], tuple[Carry, Any]], carry: Carry, xs: Any, chunk: int
) -> tuple[Carry, Any]:
    """Scans `run` over chunks of `chunk` steps; the last may be shorter.

    Args:
        run: takes the carry and the leaves of `xs` for a chunk's steps, and returns
            the carry after them and outputs, a leaf [chunk, ...] each.
        carry: before the first chunk.
        xs: leaves [T, ...].
        chunk: steps in a chunk, at least 1.

    Returns:
        The carry after the last chunk, and the outputs, leaves [T, ...].
    """
    steps = len(jax.tree.leaves(xs)[0])
    chunk = min(chunk, steps)
    whole = steps // chunk * chunk
    chunks = jax.tree.map(
        lambda leaf: leaf[:whole].reshape(-1, chunk, *leaf.shape[1:]), xs
    )
    carry, y = jax.lax.scan(run, carry, chunks)
    y = merge(y)
    if whole == steps:
        return carry, y
    carry, rest = run(carry, jax.tree.map(lambda leaf: leaf[whole:], xs))
    return carry, jax.tree.map(lambda *parts: jnp.concatenate(parts), y, rest)


def batch_axes(cell: Cell[Carry], carry: Carry) -> int:
    """Returns how many batch axes the carry has more than the cell's own."""
    own = jax.tree.leaves(jax.eval_shape(lambda: cell.initial(())))[0]
    return max(jnp.ndim(jax.tree.leaves(carry)[0]) - own.ndim, 0)


def _describe(tree: Any) -> str:
    """Returns a tree with each array as dtype(shape)."""
    kinds = jax.tree.map(lambda leaf: f"{leaf.dtype}{leaf.shape}", tree)
    return str(kinds).replace("'", "")


def _shapes(tree: Any) -> list[tuple[int, ...]]:
    return [leaf.shape for leaf in jax.tree.leaves(tree)]


def _promotion(tree: Any) -> Any:
    """Returns how strictly dtypes are watched: real numbers may become complex ones.

    JAX's strict mode refuses that too, and so is for real numbers, and for complex
    ones beside real ones of another precision.
    """
    kinds = [kind for kind in _dtypes(tree) if kind != jnp.bool]  # marks have none
    if not any(jnp.issubdtype(kind, jnp.complexfloating) for kind in kinds):
        return "strict"
    parts = {
        jnp.finfo(kind).dtype if jnp.issubdtype(kind, jnp.inexact) else kind
        for kind in kinds
    }
    return "standard" if len(parts) == 1 else "strict"


def _names(params: Params) -> str:
    """Returns what the params hold, by name."""
    return ", ".join(sorted(params)) if isinstance(params, dict) else str(type(params))


def _kinds(tree: Any) -> str:
    """Returns the names of the dtypes in a tree."""
    return ", ".join(sorted({str(dtype) for dtype in _dtypes(tree)}))


def _dtypes(tree: Any) -> list[Any]:
    return [leaf.dtype for leaf in jax.tree.leaves(tree)]
