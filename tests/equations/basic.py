"""The first cells: simple, gated, with a memory, linear, deep, on a grid."""

import numpy as np
from sizes import GRID, H, I

from equations.common import norm, sigmoid


def elman(p, h, x, act=np.tanh):
    h = act(x @ p["kernel"] + p["bias"] + h @ p["recurrent"])
    return h, h


def elman_relu(p, h, x):
    return elman(p, h, x, lambda a: np.maximum(a, 0))


def gru(p, h, x):
    u_r, u_z, u_n = np.split(x @ p["kernel"] + p["bias"], 3, -1)
    r_r, r_z, r_n = np.split(h @ p["recurrent"], 3, -1)
    r, z = sigmoid(u_r + r_r), sigmoid(u_z + r_z)
    n = np.tanh(u_n + r * (r_n + p["recurrent_bias"]))
    h = (1 - z) * n + z * h
    return h, h


def gru_before(p, h, x):
    u_r, u_z, u_n = np.split(x @ p["kernel"] + p["bias"], 3, -1)
    w_r, w_z, w_n = np.split(p["recurrent"], 3, -1)
    r, z = sigmoid(u_r + h @ w_r), sigmoid(u_z + h @ w_z)
    n = np.tanh(u_n + (r * h) @ w_n)
    h = (1 - z) * n + z * h
    return h, h


def convolved(x, kernel):
    """A window of 3 x 3 around each point of [..., X, Y, I]; zeros outside."""
    x = np.pad(x, [(0, 0)] * (x.ndim - 3) + [(1, 1), (1, 1), (0, 0)])
    return sum(
        x[..., i : i + GRID[0], j : j + GRID[1], :] @ kernel[i, j]
        for i in range(3)
        for j in range(3)
    )


def conv_lstm(p, carry, x):
    c, h = carry
    a = convolved(x, p["kernel"]) + p["bias"] + convolved(h, p["recurrent"])
    i, f, g, o = np.split(a, 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    return (c, h), h


def lru(p, h, x):
    eigenvalues = np.exp(-np.exp(p["nu"]) + 1j * np.exp(p["theta"]))
    b_real, b_imaginary = np.split(p["kernel"], 2, -1)
    c_real, c_imaginary = np.split(p["readout"], 2, 0)
    gamma = np.exp(p["log_gamma"])
    h = eigenvalues * h + gamma * (x @ (b_real + 1j * b_imaginary))
    return h, (h @ (c_real - 1j * c_imaginary)).real + x @ p["skip"]


def lstm(p, carry, x):
    c, h = carry
    i, f, g, o = np.split(x @ p["kernel"] + p["bias"] + h @ p["recurrent"], 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    return (c, h), h


def layer_norm_lstm(p, carry, x):
    c, h = carry
    a = p["kernel_scale"] * norm(x @ p["kernel"]) + p["bias"]
    a = a + p["recurrent_scale"] * norm(h @ p["recurrent"])
    i, f, g, o = np.split(a, 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(p["memory_scale"] * norm(c) + p["memory_bias"])
    return (c, h), h


def mingru(p, h, x):
    z, n = np.split(x @ p["kernel"] + p["bias"], 2, -1)
    h = (1 - sigmoid(z)) * h + sigmoid(z) * n
    return h, h


def peephole_lstm(p, carry, x):
    c, h = carry
    i, f, g, o = np.split(x @ p["kernel"] + p["bias"] + h @ p["recurrent"], 4, -1)
    p_i, p_f, p_o = p["peephole"]
    c = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * np.tanh(g)
    h = sigmoid(o + p_o * c) * np.tanh(c)
    return (c, h), h


def rhn(p, s, x):
    w_n, w_t = np.split(p["kernel"], 2, -1)
    for layer, (r, b) in enumerate(zip(p["recurrent"], p["bias"], strict=True)):
        (r_n, r_t), (b_n, b_t) = np.split(r, 2, -1), np.split(b, 2, -1)
        first = layer == 0
        n = np.tanh(first * (x @ w_n) + s @ r_n + b_n)
        t = sigmoid(first * (x @ w_t) + s @ r_t + b_t)
        s = n * t + s * (1 - t)
    return s, s


EQUATIONS = {
    "conv_lstm": conv_lstm,
    "elman": elman,
    "elman_relu": elman_relu,
    "gru": gru,
    "gru_before": gru_before,
    "layer_norm_lstm": layer_norm_lstm,
    "lru": lru,
    "lstm": lstm,
    "mingru": mingru,
    "peephole_lstm": peephole_lstm,
    "rhn": rhn,
}
PARAMETERS = {
    "conv_lstm": 4 * (9 * I * H + 9 * H * H + H),
    "elman": I * H + H * H + H,
    "elman_relu": I * H + H * H + H,
    "gru": 3 * (I * H + H * H + H) + H,
    "gru_before": 3 * (I * H + H * H + H),
    "layer_norm_lstm": 4 * (I * H + H * H + 3 * H) + 2 * H,
    "lru": 3 * H + 3 * I * H + 2 * H * H,
    "lstm": 4 * (I * H + H * H + H),
    "mingru": 2 * (I * H + H),
    "peephole_lstm": 4 * (I * H + H * H + H) + 3 * H,
    "rhn": 2 * (I * H + 2 * (H * H + H)),
}
