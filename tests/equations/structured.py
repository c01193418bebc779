"""Cells of several parts: gates on their input, layers at two speeds, a memory."""

import numpy as np
from sizes import H, I

from equations.common import sigmoid


def softmax(a):
    e = np.exp(a - a.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softplus(a):
    return np.log1p(np.exp(a))


def lstm(a, c):
    """The memory and the output, of the sum of all that reaches the gates."""
    i, f, g, o = np.split(a, 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return c, sigmoid(o) * np.tanh(c)


def mogrifier_lstm(p, carry, x):
    (c, h), (q_1, q_3), (r_2, r_4) = carry, p["q"], p["r"]
    x = 2 * sigmoid(h @ q_1) * x
    h = 2 * sigmoid(x @ r_2) * h
    x = 2 * sigmoid(h @ q_3) * x
    h = 2 * sigmoid(x @ r_4) * h
    c, h = lstm(x @ p["kernel"] + h @ p["recurrent"] + p["bias"], c)
    return (c, h), h


def fast_slow_lstm(p, carry, x):
    (c, h), (c_slow, s) = carry

    def cell(p, x, c, h):
        return lstm(x @ p["kernel"] + h @ p["recurrent"] + p["bias"], c)

    c, h = cell(p["fast"][0], x, c, h)
    c_slow, s = cell(p["slow"], h, c_slow, s)
    c, h = cell(p["fast"][1], s, c, h)
    return ((c, h), (c_slow, s)), h


def hm_lstm(p, carry, x):
    """The three cases of each of two layers, chosen row by row."""
    c, h, z = carry
    (one, two), (c1, c2), (h1, h2) = (
        p["layers"],
        *(np.moveaxis(a, -2, 0) for a in (c, h)),
    )
    a = h1 @ one["recurrent"] + z * (h2 @ one["topdown"])
    a, detector = np.split(a + x @ one["kernel"] + one["bias"], [4 * H], -1)
    updated, flushed = lstm(a, c1), lstm(a, 0 * c1)
    c1, h1 = (np.where(z == 1, *pair) for pair in zip(flushed, updated, strict=True))
    z = 1.0 * (np.clip((detector + 1) / 2, 0, 1) > 0.5)
    updated = lstm(h1 @ two["kernel"] + h2 @ two["recurrent"] + two["bias"], c2)
    c2, h2 = (
        np.where(z == 1, new, old) for new, old in zip(updated, (c2, h2), strict=True)
    )
    gates = sigmoid(np.concatenate([h1, h2], -1) @ p["gate"])
    w1, w2 = np.split(p["readout"], 2)
    y = gates[..., :1] * (h1 @ w1) + gates[..., 1:] * (h2 @ w2)
    return (np.stack([c1, c2], -2), np.stack([h1, h2], -2), z), np.maximum(y, 0)


def stack_rnn(p, carry, x):
    h, s = carry
    top = np.concatenate([s[..., 0, :2], s[..., 1, :2]], -1)
    h = sigmoid(x @ p["kernel"] + p["bias"] + h @ p["recurrent"] + top @ p["top"])
    new = np.empty_like(s)
    for k in range(2):
        push, pop, keep = np.moveaxis(
            softmax((h @ p["action"])[..., 3 * k :][..., :3]), -1, 0
        )
        for i in range(8):
            higher = sigmoid(h @ p["push"])[..., k] if i == 0 else s[..., k, i - 1]
            lower = 0 if i == 7 else s[..., k, i + 1]
            new[..., k, i] = push * higher + pop * lower + keep * s[..., k, i]
    return (h, new), h


def neural_stack(p, carry, x):
    """With the paper's order of entries, in which the last is the top."""
    h, r, values, s = carry
    h = np.concatenate([h, r], -1) @ p["recurrent"]
    h = np.tanh(x @ p["kernel"] + p["bias"] + h)
    a = h @ p["control"] + p["control_bias"]
    v, y = np.tanh(a[..., :H]), np.tanh(a[..., H : 2 * H])
    d, u = sigmoid(a[..., -2]), sigmoid(a[..., -1])
    old, n = s[..., ::-1], s.shape[-1]
    s = [
        np.maximum(0, old[..., i] - np.maximum(0, u - old[..., i + 1 :].sum(-1)))
        for i in range(n)
    ]
    s = np.stack([*s, d], -1)
    values = np.concatenate([values[..., ::-1, :], v[..., None, :]], -2)
    values, s = values[..., 1:, :], s[..., 1:]  # the oldest falls out
    r = sum(
        np.minimum(s[..., i], np.maximum(0, 1 - s[..., i + 1 :].sum(-1)))[..., None]
        * values[..., i, :]
        for i in range(n)
    )
    return (h, r, values[..., ::-1, :], s[..., ::-1]), y


def tape_rnn(p, carry, x):
    h, r, tape, w = carry
    h = np.concatenate([h, r], -1) @ p["recurrent"]
    h = np.tanh(x @ p["kernel"] + p["bias"] + h)
    a = h @ p["control"] + p["control_bias"]
    k, e, new = (
        np.tanh(a[..., :H]),
        sigmoid(a[..., H : 2 * H]),
        np.tanh(a[..., 2 * H : 3 * H]),
    )
    shift = softmax(a[..., 3 * H : 3 * H + 3])
    beta, gate, gamma = (
        softplus(a[..., -3]),
        sigmoid(a[..., -2]),
        1 + softplus(a[..., -1]),
    )
    norms = (k**2).sum(-1)[..., None] * (tape**2).sum(-1)
    likeness = np.einsum("...h,...nh->...n", k, tape) / np.sqrt(norms + 1e-6)
    content = softmax(beta[..., None] * likeness)
    w = np.concatenate([1 - w[..., 1:].sum(-1, keepdims=True), w[..., 1:]], -1)
    w = gate[..., None] * content + (1 - gate[..., None]) * w
    n = w.shape[-1]
    moved = np.zeros_like(w)
    for i in range(n):
        for j, by in enumerate((-1, 0, 1)):
            moved[..., (i + by) % n] += shift[..., j] * w[..., i]
    w = (moved + 1e-6) ** gamma[..., None]
    w = w / w.sum(-1, keepdims=True)
    r = np.einsum("...n,...nh->...h", w, tape)
    w_ = w[..., None]
    tape = tape * (1 - w_ * e[..., None, :]) + w_ * new[..., None, :]
    return (h, r, tape, w), h


def lstmn(p, carry, x):
    h, c, filled, last = carry
    n = filled.shape[-1]
    scores = [
        np.tanh(h[..., j, :] @ p["memory"] + x @ p["query"] + last @ p["last"])
        @ p["score"]
        for j in range(n)
    ]
    e = filled * np.exp(np.stack(scores, -1))  # small numbers: nothing to take away
    total = e.sum(-1, keepdims=True)
    s = e / np.where(total == 0, 1, total)
    attended = sum(s[..., j, None] * h[..., j, :] for j in range(n))
    memory = sum(s[..., j, None] * c[..., j, :] for j in range(n))
    a = x @ p["kernel"] + p["bias"] + attended @ p["recurrent"]
    c_new, h_new = lstm(a, memory)

    def first(new, old):
        return np.concatenate([new[..., None, :], old], -2)[..., :n, :]

    filled = np.concatenate([np.ones_like(filled[..., :1]), filled], -1)[..., :n]
    return (first(h_new, h), first(c_new, c), filled, attended), h_new


EQUATIONS = {
    "fast_slow_lstm": fast_slow_lstm,
    "hm_lstm": hm_lstm,
    "lstmn": lstmn,
    "mogrifier_lstm": mogrifier_lstm,
    "neural_stack": neural_stack,
    "stack_rnn": stack_rnn,
    "tape_rnn": tape_rnn,
}
LSTM = 4 * (I * H + H * H + H)
PARAMETERS = {
    "fast_slow_lstm": LSTM + 2 * 4 * (2 * H * H + H),
    "hm_lstm": (4 * H + 1) * (I + 2 * H + 1) + 4 * H * (2 * H + 1) + 2 * H * (2 + H),
    "lstmn": LSTM + 2 * H * H + I * H + H,
    "mogrifier_lstm": LSTM + 4 * I * H,
    "neural_stack": I * H + 2 * H * H + H + (H + 1) * (2 * H + 2),
    "stack_rnn": I * H + H * H + H + 2 * (2 * H + 3 * H + H),
    "tape_rnn": I * H + 2 * H * H + H + (H + 1) * (3 * H + 6),
}
