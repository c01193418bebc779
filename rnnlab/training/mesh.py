"""Where arrays lie: on one device, or spread over all devices of all processes.

Spread, each device has its own rows of every batch and of the carries, and a copy of
the rest. By the rule `fsdp`, parameters that a task calls wide are cut too, and what
the optimizer keeps of them: each device stores a part, and all parts are gathered for
the length of a step.
"""

import dataclasses
import functools
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from rnnlab.errors import InputError
from rnnlab.training.task import Batch, Memory, Params, Task

AXIS = "data"
RULES = ("replicated", "fsdp")
ROWS, COPIES = P(AXIS), P()


@runtime_checkable
class Spreadable(Protocol):
    """A task whose batches have rows; each leaf of its memory has them first."""

    @property
    def specs(self) -> Batch:
        """Like a batch: where each leaf has its rows, such as `P(None, "data")`."""
        ...

    @property
    def wide(self) -> Collection[str]:
        """The names of the parameters that are worth cutting."""
        ...


class Layout(Protocol):
    """Says where arrays lie, and puts them there; `state` is a `step.State`."""

    @property
    def rule(self) -> str:
        """How parameters lie, of `RULES`."""
        ...

    def padded(self, rows: int) -> int:
        """Returns the fewest rows, `rows` or more, that all devices have as many of."""
        ...

    def share(self, rows: int) -> slice:
        """Returns those of the padded rows that this process reads."""
        ...

    def batch(self, task: Task, batch: Batch) -> Batch:
        """Returns a batch in its place, from the rows that this process read."""
        ...

    def memory(self, make: Callable[[], Memory]) -> Memory:
        """Returns what `make` returns, carries of all rows, in their place."""
        ...

    def rows(self, memory: Memory) -> Memory:
        """Returns carries, under `jit`, held to their place."""
        ...

    def state(self, task: Task, make: Callable[[], Any]) -> Any:
        """Returns what `make` returns, a new state, in its place."""
        ...

    def like(self, task: Task, state: Any) -> Any:
        """Returns an abstract state that says where its leaves are restored to."""
        ...

    def constrain(self, task: Task, state: Any) -> Any:
        """Returns a state, under `jit`, held to its place."""
        ...

    def whole(self, params: Params) -> Params:
        """Returns parameters, under `jit`, as each device uses them: uncut."""
        ...


@dataclasses.dataclass(frozen=True)
class OneDevice:
    """All arrays lie where JAX puts them.

    Attributes:
        rule: what a run's bits depend on beside its device; see `numerics`.
    """

    rule: str = "replicated"

    def padded(self, rows: int) -> int:  # noqa: D102
        return rows

    def share(self, rows: int) -> slice:  # noqa: D102
        return slice(0, rows)

    def batch(self, task: Task, batch: Batch) -> Batch:  # noqa: D102
        return batch

    def memory(self, make: Callable[[], Memory]) -> Memory:  # noqa: D102
        return make()

    def rows(self, memory: Memory) -> Memory:  # noqa: D102
        return memory

    def state(self, task: Task, make: Callable[[], Any]) -> Any:  # noqa: D102
        return make()

    def like(self, task: Task, state: Any) -> Any:  # noqa: D102
        return state

    def constrain(self, task: Task, state: Any) -> Any:  # noqa: D102
        return state

    def whole(self, params: Params) -> Params:  # noqa: D102
        return params


ONE = OneDevice()


@dataclasses.dataclass(frozen=True)
class Spread:
    """Rows lie on different devices, those of a process on its own.

    Attributes:
        mesh: all devices along one axis, "data", in the order of their processes.
        rule: `fsdp` to cut wide parameters, `replicated` to copy all.
    """

    mesh: Mesh
    rule: str

    def padded(self, rows: int) -> int:  # noqa: D102
        return -(-rows // self.mesh.size) * self.mesh.size

    def share(self, rows: int) -> slice:  # noqa: D102
        each = self.padded(rows) // jax.process_count()
        first = jax.process_index() * each
        return slice(first, first + each)

    def batch(self, task: Task, batch: Batch) -> Batch:  # noqa: D102
        put = jax.make_array_from_process_local_data
        return jax.tree.map(
            lambda spec, leaf: put(self._at(spec), leaf), _asked(task).specs, batch
        )

    def memory(self, make: Callable[[], Memory]) -> Memory:  # noqa: D102
        return jax.jit(make, out_shardings=self._at(ROWS))()

    def rows(self, memory: Memory) -> Memory:  # noqa: D102
        return jax.lax.with_sharding_constraint(memory, self._at(ROWS))

    def state(self, task: Task, make: Callable[[], Any]) -> Any:  # noqa: D102
        place = self._places(task, jax.eval_shape(make))
        return jax.jit(make, out_shardings=place)()

    def like(self, task: Task, state: Any) -> Any:  # noqa: D102
        return jax.tree.map(
            lambda leaf, at: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=at),
            state,
            self._places(task, state),
        )

    def constrain(self, task: Task, state: Any) -> Any:  # noqa: D102
        return jax.lax.with_sharding_constraint(state, self._places(task, state))

    def whole(self, params: Params) -> Params:  # noqa: D102
        return jax.lax.with_sharding_constraint(params, self._at(COPIES))

    def _at(self, spec: P) -> NamedSharding:
        return NamedSharding(self.mesh, spec)

    def _places(self, task: Task, state: Any) -> Any:
        """Returns a sharding for each leaf of a state."""
        wide = _asked(task).wide if self.rule == "fsdp" else ()
        place = functools.partial(self._place, frozenset(wide))
        places = jax.tree_util.tree_map_with_path(place, state)
        rows = jax.tree.map(lambda _: self._at(ROWS), state.memory)
        return places._replace(memory=rows)

    def _place(self, wide: Collection[str], path: Any, leaf: Any) -> NamedSharding:
        """Returns where a leaf lies; what an optimizer keeps, as its parameter."""
        named = any(getattr(key, "key", None) in wide for key in path)
        fits = [a for a, n in enumerate(leaf.shape) if n % self.mesh.size == 0]
        if not (named and fits):
            return self._at(COPIES)
        longest = max(fits, key=lambda axis: leaf.shape[axis])
        return self._at(P(*[None] * longest, AXIS))


def over(devices: Sequence[Any], rule: str) -> Layout:
    """Returns the layout over devices: all there are, or some of a single process.

    Raises:
        InputError: one process has more devices than another.
    """
    devices = sorted(devices, key=lambda d: (d.process_index, d.id))
    if len(devices) == 1:
        return ONE
    each = np.bincount([d.process_index for d in devices])
    if len({*each}) > 1:
        raise InputError(
            f"As many devices in each process were wanted, and there are"
            f" {', '.join(map(str, each))}; start each with the same number."
        )
    return Spread(Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,)), rule)


def _asked(task: Task) -> Spreadable:
    """Returns the task as one that says where its rows are.

    Raises:
        InputError: it does not.
    """
    if isinstance(task, Spreadable):
        return task
    raise InputError(
        f"Several devices need a task with specs and wide, got {type(task).__name__};"
        f" run it on one device."
    )
