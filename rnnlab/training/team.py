"""Several processes as one: the first decides and writes, the others hear of it."""

import json
import re
from collections.abc import Callable
from typing import Any, NoReturn

import jax
import numpy as np
from jax.experimental import multihost_utils

from rnnlab.errors import RunError

_LEAST = 4096  # bytes of a message: one program for most of them

# What a lost connection is called by gloo, NCCL and JAX's coordination service.
_LOST = re.compile(
    r"gloo|nccl|coordination|connection|socket closed|barrier|heartbeat|unavailable",
    re.IGNORECASE,
)


def leads() -> bool:
    """Returns whether this process is the one that writes."""
    return jax.process_index() == 0


def is_lost(error: Exception) -> bool:
    """Returns whether an error comes of the end of another process.

    JAX raises the same types for all that may go wrong in a program.
    """
    return jax.process_count() > 1 and _LOST.search(str(error)) is not None


def lead(work: Callable[[], Any]) -> Any:
    """Returns in all processes what `work` returned in the first, which alone calls it.

    All processes must come here. With several, what is returned has gone through JSON:
    tuples are lists, and keys are strings.

    Raises:
        RunError: the one that `work` raised, in all processes.
    """
    if jax.process_count() == 1:
        return work()
    told: dict[str, Any] = {}
    if leads():
        try:
            told = {"value": work()}
        except RunError as error:
            told = {"error": type(error).__name__, "message": str(error)}
    told = _broadcast(told)
    if "error" in told:
        _raise(told["error"], told["message"])
    return told["value"]


def _broadcast(value: Any) -> Any:
    """Returns the first process' JSON data in all processes."""
    text = json.dumps(value).encode()
    size = int(multihost_utils.broadcast_one_to_all(np.int32(len(text))))
    room = max(_LEAST, 1 << (size - 1).bit_length())
    sent = np.zeros(room, np.uint8)
    if leads():
        sent[:size] = np.frombuffer(text, np.uint8)
    return json.loads(
        bytes(np.asarray(multihost_utils.broadcast_one_to_all(sent)))[:size]
    )


def _raise(name: str, message: str) -> NoReturn:
    known = {kind.__name__: kind for kind in RunError.__subclasses__()}
    raise known.get(name, RunError)(message)
