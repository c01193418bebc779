"""All steps of an LSTM in one call of NVIDIA's library cuDNN.

What cuDNN is given is JAX's `jax.experimental.rnn.lstm`; what is done here is to lay
out the weights, the batch axes and time as it wants them. It differs from the other
engines in what it takes: an LSTM as it stands, float32, one reverse-mode derivative.

Not measured: this has never run on a GPU. The tests run all of it but cuDNN's own
kernels, with JAX's reference implementation in their place, and have one test of the
kernels that waits for a GPU. Users of torch report that cuDNN takes no more than
65,535 steps (https://github.com/pytorch/pytorch/issues/133751).

References:
    Chetlur et al., cuDNN: Efficient primitives for deep learning, 2014,
    https://arxiv.org/abs/1410.0759
    Appleyard, Kocisky, Blunsom, Optimizing performance of recurrent neural networks
    on GPUs, 2016, https://arxiv.org/abs/1604.01946
"""

import dataclasses
import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.experimental import rnn
from jax.extend import backend

from rnnlab.cell import Cell, Params
from rnnlab.cells.lstm import LSTM, LSTMCarry
from rnnlab.engines.engine import Carry, ready, reverse_only


@dataclasses.dataclass(frozen=True)
class Cudnn:
    """Runs an LSTM on an NVIDIA GPU; no vmap, no forward mode, no lengths.

    Products are in TF32 where the GPU has it, as JAX's own are by default;
    `jax.default_matmul_precision("highest")` makes them float32.
    """

    runs: ClassVar[type[Cell[Any]]] = LSTM

    def __call__(
        self, cell: Cell[Carry], params: Params, carry: Carry, x: Any
    ) -> tuple[Carry, Any]:
        """Returns the last carry and y [T, B, H]; see `Engine`.

        Raises:
            TypeError: the cell is not an LSTM (a masked LSTM, which rows of different
                lengths need, is not), or an array is not float32.
            RuntimeError: JAX does not compute on an NVIDIA GPU here.
        """
        if not isinstance(cell, LSTM):
            raise TypeError(
                f"Cudnn() needs an LSTM without lengths, masks or other wrappers, got"
                f" {cell}; use Deferred() for any SplitCell, or Scan()."
            )
        inputs: Any = jax.tree.map(jnp.asarray, (params, carry, x))
        dtypes = {str(leaf.dtype) for leaf in jax.tree.leaves(inputs)}
        if dtypes != {"float32"}:
            raise TypeError(
                f"Cudnn() needs params, carry and x in float32, got"
                f" {', '.join(sorted(dtypes))}; cast them, or use Deferred()."
            )
        ready(self, cell, *inputs)
        reverse_only(self, *inputs)
        if not available():
            raise RuntimeError(
                f"Cudnn() needs JAX to compute on an NVIDIA GPU, got the backend"
                f" {jax.default_backend()}; use Deferred()."
            )
        return _run(cell.features, *inputs)


def available() -> bool:
    """Returns whether JAX computes on an NVIDIA GPU, if not told otherwise.

    JAX calls those of AMD "gpu" too; their library orders the gates in another way.
    """
    version = backend.get_backend().platform_version
    return jax.default_backend() == "gpu" and "cuda" in version.lower()


def pack(params: Params) -> jax.Array:
    """Returns an LSTM's params as cuDNN's flat weights, [4H * (I + H + 2)].

    Both order the gates i, f, g, o. cuDNN's matrices have a row for each output, and
    it adds two biases, of which the second is zero here.
    """
    bias = params["bias"]
    matrices = [params["kernel"].T.ravel(), params["recurrent"].T.ravel()]
    return jnp.concatenate([*matrices, bias, jnp.zeros_like(bias)])


def _run(features: int, params: Params, carry: Any, x: jax.Array) -> tuple[Any, Any]:
    """Returns the last carry and y; JAX's function has the batch before time."""
    steps, *batch, in_features = x.shape
    rows = math.prod(batch)
    outcome: Any = rnn.lstm(
        x.reshape(steps, rows, in_features).swapaxes(0, 1),
        carry.h.reshape(1, rows, features),
        carry.c.reshape(1, rows, features),
        pack(params),
        jnp.full(rows, steps, jnp.int32),
        input_size=in_features,
        hidden_size=features,
        num_layers=1,
        dropout=0.0,
        bidirectional=False,
    )
    y, h, c = outcome
    shape = (*batch, features)
    y = y.swapaxes(0, 1).reshape(steps, *shape)
    return LSTMCarry(c.reshape(shape), h.reshape(shape)), y
