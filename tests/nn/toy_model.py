"""A model in a few lines, with what a model must have and nothing else."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np


@dataclasses.dataclass(frozen=True)
class Toy:
    """h = tanh(embedding[token] + h R); logits = h D. The carry has two leaves."""

    size: int
    features: int = 6

    def params(self, seed=0):
        rng = np.random.default_rng(seed)
        V, H = self.size, self.features
        shapes = {"embedding": (V, H), "recurrent": (H, H), "decoder": (H, V)}
        return {
            k: rng.normal(size=shape).astype(np.float32) for k, shape in shapes.items()
        }

    def initial(self, batch):
        return {"h": jnp.zeros((*batch, self.features)), "steps": jnp.zeros(batch, int)}

    def apply(self, variables, carries, tokens):
        p = variables["params"]

        def step(carry, token):
            h = jnp.tanh(p["embedding"][token] + carry["h"] @ p["recurrent"])
            return {"h": h, "steps": carry["steps"] + 1}, h @ p["decoder"]

        return jax.lax.scan(step, carries, tokens)

    def log_p(self, params, tokens):
        """Returns log p of what follows each token, in NumPy: [T, V]."""
        h, rows = np.zeros(self.features), []
        for token in tokens:
            h = np.tanh(params["embedding"][token] + h @ params["recurrent"])
            logits = np.float64(h @ params["decoder"])
            rows.append(logits - np.log(np.exp(logits).sum()))
        return np.array(rows)

    def costs(self, params, prompt, text):
        """Returns -log p of each token of a text after a prompt, [T]."""
        log_p = self.log_p(params, [*prompt, *text])
        return -log_p[len(prompt) - 1 : -1][np.arange(len(text)), text]

    def texts(self, length, end=None):
        """Yields all texts there are: of a length, or shorter with an end."""
        for text in itertools.product(range(self.size), repeat=length):
            if end not in text[:-1]:
                yield text
        for shorter in range(1, length) if end is not None else ():
            yield from (
                (*text, end)
                for text in itertools.product(range(self.size), repeat=shorter - 1)
                if end not in text
            )
