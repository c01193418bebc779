"""The benchmarks' layer and language model in torch, as its users write them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}


def side(
    cell: str, x: np.ndarray, w: np.ndarray
) -> tuple[dict[str, torch.Tensor], Callable[[dict[str, torch.Tensor]], Any]]:
    """Returns the layer's parameters, and what computes gradients.

    Args:
        cell: lstm or gru.
        x: the input, [T, B, H].
        w: the cotangent of the output, [T, B, H].

    Returns:
        The module's own parameters, by name, and a function that takes them and
        returns the sum of y * w and its gradients by the parameters and by x.
    """
    features = x.shape[-1]
    module = CELLS[cell](features, features)
    inputs, weights = torch.from_numpy(x).requires_grad_(), torch.from_numpy(w)

    def run(params):
        for leaf in (inputs, *params.values()):
            leaf.grad = None
        loss = (module(inputs)[0] * weights).sum()
        loss.backward()
        return loss.detach(), ({k: p.grad for k, p in params.items()}, inputs.grad)

    return dict(module.named_parameters()), run


class LanguageModel(nn.Module):
    """Embedding, LSTM layers, output layer.

    Args:
        vocab_size: V.
        features: H, of the embedding and of each layer.
        layers: the number of LSTM layers.
    """

    def __init__(self, vocab_size: int, features: int, layers: int):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, features)
        self.lstm = nn.LSTM(features, features, num_layers=layers)
        self.output = nn.Linear(features, vocab_size)

    def forward(
        self, tokens: torch.Tensor, carry: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """Returns logits and the carry after the last token: [T, B] -> [T, B, V]."""
        y, carry = self.lstm(self.embedding(tokens), carry)
        return self.output(y), carry


def trainer(
    vocab_size: int, features: int, layers: int, batch: int, learning_rate: float
) -> Callable[[Any], torch.Tensor]:
    """Returns the training step, which keeps its state and returns the loss.

    The gradient is clipped to a global norm of 5; the update is that of SGD. All
    cores are used: torch takes as many threads as there are.
    """
    torch.manual_seed(0)
    model = LanguageModel(vocab_size, features, layers)
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)
    zeros = torch.zeros(layers, batch, features)
    carry = (zeros, zeros)

    def step(batch):
        nonlocal carry
        inputs = torch.from_numpy(batch.inputs)
        targets = torch.from_numpy(batch.targets).long()
        carry = (carry[0].detach(), carry[1].detach())
        optimizer.zero_grad(set_to_none=True)
        logits, carry = model(inputs, carry)
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        return loss.detach()

    return step


def product() -> Callable[[], torch.Tensor]:
    """Returns a product of two square matrices of 2048 rows."""
    matrix = torch.randn(2048, 2048)
    return lambda: matrix @ matrix


def sampler(
    vocab_size: int, features: int, layers: int, batch: int
) -> Callable[[int], torch.Tensor]:
    """Returns what draws so many tokens of each row, [B], and goes on where it was.

    As its users write it: a step, a softmax, a draw. All cores are used.
    """
    torch.manual_seed(0)
    model = LanguageModel(vocab_size, features, layers).eval()
    zeros = torch.zeros(layers, batch, features)
    carry, tokens = (zeros, zeros), torch.zeros(batch, dtype=torch.long)

    @torch.inference_mode()
    def draw(steps):
        nonlocal carry, tokens
        for _ in range(steps):
            logits, carry = model(tokens[None], carry)
            p = torch.softmax(logits[0], dim=-1)
            tokens = torch.multinomial(p, num_samples=1)[:, 0]
        return tokens

    return draw
