"""A wish to stop, to save, or to end, of any process: known to all at the same step."""

import signal
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from rnnlab.training.signals import StopSignals


class Wishes(NamedTuple):
    """What any process wishes.

    Attributes:
        late: it is late: a checkpoint is due.
        over: time is over: the run is to end.
    """

    late: bool = False
    over: bool = False


class Requests:
    """Asks all processes, once a batch, what they wish.

    One process alone is taken at its word. Several hand in their wishes as an array
    that is spread over all devices; the largest of each is computed behind the batch
    and fetched at the next one, when it is there: no process waits for it.
    """

    def __init__(self, stop: StopSignals):
        self._stop = stop
        self._agreed: str | None = None
        self._coming: jax.Array | None = None

    @property
    def received(self) -> str | None:
        """The name of the signal to stop at, or None; equal in all processes."""
        return self._stop.received if jax.process_count() == 1 else self._agreed

    def stopping(self) -> bool:
        """Asks all; returns whether to stop."""
        self.ask(Wishes())
        return self.received is not None

    def ask(self, own: Wishes) -> Wishes:
        """Asks all; returns what any of them wishes."""
        if jax.process_count() == 1:
            return own
        name = self._stop.received
        number = signal.Signals[name] if name and self._agreed is None else 0
        before, self._coming = self._coming, _largest([number, *own])
        if before is None:
            return Wishes()
        highest, *others = jax.device_get(before)
        if highest:
            self._agreed = signal.Signals(int(highest)).name
        return Wishes(*map(bool, others))


@jax.jit
def _over_devices(wishes: jax.Array) -> jax.Array:
    return jnp.max(wishes, axis=0)


def _largest(wishes: list[Any]) -> jax.Array:
    """Returns the largest of each number over all processes, on its way."""
    place = NamedSharding(Mesh(np.array(jax.devices()), ("data",)), P("data"))
    mine = np.tile(np.array(wishes, np.int32), (jax.local_device_count(), 1))
    return _over_devices(jax.make_array_from_process_local_data(place, mine))
