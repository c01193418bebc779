"""The task of a language model: streams of tokens, carried states, nats a token."""

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec as P

from experiments.language_modeling import probe
from experiments.language_modeling.depths import depths
from experiments.language_modeling.pretrained import Pretrained
from experiments.language_modeling.vectors import Vectors
from rnnlab import initializers
from rnnlab.data.streams import Batch, EvalStream, TrainStream
from rnnlab.nn import LanguageModel
from rnnlab.training.task import Outcome


@dataclasses.dataclass(frozen=True)
class LanguageTask:
    """Predicts each token of a text from all before it; see `rnnlab.training.Task`.

    Attributes:
        model: the network.
        streams: for each split, its batches; none to use a trained model.
        rows: for each split, the rows of a batch.
        init_scale: draw all parameters from [-init_scale, init_scale] instead of
            each module's own initial values.
        length: steps of a window that the learning rate is meant for: those of another
            length have it in proportion; None for the same rate for all.
        tied: whether the embedding is the output's weights too.
        pretrained: what knows better parameters to begin with: another run, or a file
            of word vectors.
    """

    model: LanguageModel
    streams: Mapping[str, TrainStream | EvalStream]
    rows: Mapping[str, int]
    init_scale: float | None = None
    length: int | None = None
    tied: bool = False
    pretrained: Pretrained | Vectors | None = None

    specs = Batch(P(None, "data"), P(None, "data"), P(None, "data"), P())
    wide = ("embedding", "decoder")

    @property
    def splits(self) -> Collection[str]:
        """The splits of the corpus."""
        return self.streams.keys()

    @property
    def steps_per_epoch(self) -> int:
        """The batches of one pass over the training split."""
        return len(self.streams["train"])

    def init(self, key: jax.Array) -> Any:
        """Draws the parameters."""
        init_key, uniform_key = jax.random.split(key)
        tokens = jnp.zeros((1, 1), jnp.int32)
        carries = self.model.initial((1,))
        params = self.model.init(init_key, carries, tokens)["params"]
        if self.init_scale is None:
            return params
        return initializers.uniform(uniform_key, params, self.init_scale)

    def start(self, drawn: Any) -> tuple[Any, str] | None:
        """Returns trained parameters to begin with; see `rnnlab.training.start`."""
        return None if self.pretrained is None else self.pretrained.params(self, drawn)

    def depths(self, params: Any) -> Any:
        """Returns how far below the output each parameter stands."""
        return depths(params, self.tied)

    def vary(self, numbers: Mapping[str, jax.Array]) -> "LanguageTask":
        """Returns the task with arrays in place of numbers; `dropout` is the one."""
        stack = self.model.stack.clone(dropout=numbers["dropout"])
        return dataclasses.replace(self, model=self.model.clone(stack=stack))

    def memory(self, split: str) -> Any:
        """Returns the carries of all layers before the first batch, [B, ...] each."""
        return self.model.initial((self.rows[split],))

    def batches(self, split: str, start: int = 0) -> Iterator[Batch]:
        """Yields windows of T tokens of B rows; see `rnnlab.data.streams`."""
        stream = self.streams[split]
        k = start
        while split == "train" or k < len(stream):
            yield stream[k]
            k += 1

    def loss(
        self, params: Any, memory: Any, batch: Batch, key: jax.Array, train: bool
    ) -> tuple[jax.Array, Outcome]:
        """Returns the mean nats of the batch's targets, and the carries after it.

        In training, the penalties of the model are added.
        """
        given = self.carries(memory, batch), batch.inputs, batch.targets
        if train:
            carries, nats, penalty = self.model.apply(
                {"params": params}, *given, method="objective", rngs={"dropout": key}
            )
        else:
            carries, nats = self.model.apply({"params": params}, *given, method="loss")
            penalty = 0.0
        weight = jnp.sum(batch.mask)
        loss = jnp.sum(jnp.where(batch.mask, nats, 0)) / weight
        rate = len(batch.inputs) / self.length if self.length else 1.0
        return loss + penalty, Outcome(carries, weight, rate, penalty)

    def carries(self, memory: Any, batch: Batch) -> Any:
        """Returns the carries that a batch begins with: the first ones on reset."""
        return jax.tree.map(
            lambda old, first: jnp.where(batch.reset, first, old),
            memory,
            self.model.initial(batch.inputs.shape[1:]),
        )

    def probe(
        self, params: Any, updates: Any, memory: Any, batch: Batch, key: jax.Array
    ) -> Mapping[str, jax.Array]:
        """Returns figures of an update; see `rnnlab.training.probing.Probed`."""
        return probe.figures(self, params, updates, memory, batch, key)
