"""Word vectors that were made elsewhere, for a run whose embedding begins with them."""

import dataclasses
import functools
from typing import Any

import jax
import numpy as np

from rnnlab.data import vectors
from rnnlab.data.tokenizers import Tokenizer


@dataclasses.dataclass(frozen=True)
class Vectors:
    """A file of word vectors.

    Attributes:
        path: of the file.
        tokenizer: of the run's text.
        features: of a token's vector.
    """

    path: str
    tokenizer: Tokenizer
    features: int

    def check(self, task: Any) -> None:
        """Reads the file.

        Raises:
            InputError: it does not have the vectors of any token.
        """
        del task
        _read(self)

    def params(self, task: Any, drawn: Any) -> tuple[Any, str]:
        """Returns the parameters that were drawn with the file's vectors in place."""
        del task
        found = _read(self)
        table = np.array(jax.device_get(drawn["embedding"]))
        table[[*found]] = list(found.values())
        return {**drawn, "embedding": table}, (
            f"the embedding begins with {len(found)} vectors of {self.path}; the other"
            f" {len(table) - len(found)} are drawn"
        )


@functools.lru_cache(maxsize=1)
def _read(source: Vectors) -> dict[int, np.ndarray]:
    pieces = source.tokenizer.pieces
    ids = {piece: k for k, piece in enumerate(pieces) if isinstance(piece, str)}
    return vectors.read(source.path, ids, source.features)
