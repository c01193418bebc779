"""Cells whose gates see the input alone, state spaces, and memories with heads."""

import numpy as np
from sizes import H, I

from equations.common import sigmoid

HEADS = 2
D = H // HEADS


def sru(p, c, x):
    u_f, u_r, candidate, skip = np.split(x @ p["kernel"], 4, -1)
    (v_f, v_r), (b_f, b_r) = np.split(p["recurrent"], 2), np.split(p["bias"], 2)
    f, r = sigmoid(u_f + v_f * c + b_f), sigmoid(u_r + v_r * c + b_r)
    c = f * c + (1 - f) * candidate
    return c, r * c + (1 - r) * skip * np.sqrt(3)  # 3 = 1 + 2 exp(0)


def linear_sru(p, c, x):
    u_f, u_r, candidate, skip = np.split(x @ p["kernel"], 4, -1)
    b_f, b_r = np.split(p["bias"], 2)
    f, r = sigmoid(u_f + b_f), sigmoid(u_r + b_r)
    c = f * c + (1 - f) * candidate
    return c, r * np.tanh(c) + (1 - r) * skip


def qrnn(p, c, x):
    w_z, w_f, w_o = np.split(p["kernel"], 3, -1)
    z, f, o = np.tanh(x @ w_z), sigmoid(x @ w_f), sigmoid(x @ w_o)
    c = f * c + (1 - f) * z
    return c, o * c


def minlstm(p, h, x, g=lambda v: v):
    f, i, n = np.split(x @ p["kernel"] + p["bias"], 3, -1)
    f, i = sigmoid(f), sigmoid(i)
    h = f / (f + i) * h + i / (f + i) * g(n)
    return h, h


def g(v):
    return np.where(v >= 0, v + 0.5, sigmoid(v))


def positive_mingru(p, h, x):
    z, n = np.split(x @ p["kernel"] + p["bias"], 2, -1)
    h = (1 - sigmoid(z)) * h + sigmoid(z) * g(n)
    return h, h


def positive_minlstm(p, h, x):
    return minlstm(p, h, x, g)


def s5(p, h, x):
    b_real, b_imaginary = np.split(p["kernel"], 2, -1)
    c_real, c_imaginary = np.split(p["readout"], 2, 0)
    eigenvalues = -np.exp(p["log_decay"]) + 1j * p["frequency"]
    a = np.exp(eigenvalues * np.exp(p["log_step"]))
    h = a * h + (a - 1) / eigenvalues * (x @ (b_real + 1j * b_imaginary))
    return h, 2 * (h @ (c_real - 1j * c_imaginary)).real + x @ p["skip"]


def rg_lru(p, h, x):
    x = x @ p["kernel"] + p["bias"]
    r, i = np.split(sigmoid(x @ p["gates"] + p["gates_bias"]), 2, -1)
    a = sigmoid(p["decay"]) ** (8 * r)
    h = a * h + np.sqrt(1 - a**2) * (i * x)
    return h, h


def slstm(p, carry, x):
    c, n, m, h = carry
    gates = np.split(x @ p["kernel"] + p["bias"], 4, -1)
    for k, own in enumerate(gates):
        for head in range(HEADS):
            of = slice(head * D, (head + 1) * D)
            block = p["recurrent"][head][:, k * D : (k + 1) * D]
            own[..., of] += h[..., of] @ block
    i, f, z, o = gates
    old = n > 0
    last = np.where(old, np.log(sigmoid(f)) + m, i)
    m = np.maximum(last, i)
    f, i = old * np.exp(last - m), np.exp(i - m)
    c, n = f * c + i * np.tanh(z), f * n + i
    h = sigmoid(o) * c / n
    return (c, n, m, h), h


def mlstm(p, carry, x):
    cs, ns, ms, hs = [], [], [], []
    u = x @ p["kernel"] + p["bias"]
    q, k, v, o = np.split(u[..., : 4 * H], 4, -1)
    for head in range(HEADS):
        c, n, m = (a.take(head, axis=x.ndim - 1) for a in carry)
        of = slice(head * D, (head + 1) * D)
        i, f = u[..., 4 * H + head], sigmoid(u[..., 4 * H + HEADS + head])
        last, m = m, np.maximum(np.log(f) + m, i)
        f, i = (f * np.exp(last - m))[..., None], np.exp(i - m)[..., None]
        key = k[..., of] / np.sqrt(D)
        c = f[..., None] * c + (i * v[..., of])[..., :, None] * key[..., None, :]
        n = f * n + i * key
        asked = (c @ q[..., of, None])[..., 0]
        least = np.maximum(np.abs((n * q[..., of]).sum(-1)), np.exp(-m))
        hs.append(sigmoid(o[..., of]) * asked / least[..., None])
        cs.append(c), ns.append(n), ms.append(m)
    carry = tuple(np.stack(a, x.ndim - 1) for a in (cs, ns, ms))
    return carry, np.concatenate(hs, -1)


EQUATIONS = {
    "linear_sru": linear_sru,
    "minlstm": minlstm,
    "mlstm": mlstm,
    "positive_mingru": positive_mingru,
    "positive_minlstm": positive_minlstm,
    "qrnn": qrnn,
    "rg_lru": rg_lru,
    "s5": s5,
    "slstm": slstm,
    "sru": sru,
}
PARAMETERS = {
    "linear_sru": 4 * I * H + 2 * H,
    "minlstm": 3 * (I * H + H),
    "mlstm": (I + 1) * (4 * H + 2 * HEADS),
    "positive_mingru": 2 * (I * H + H),
    "positive_minlstm": 3 * (I * H + H),
    "qrnn": 3 * I * H,
    "rg_lru": I * H + H + 2 * (H * H + H) + H,
    "s5": 3 * H + 3 * I * H + 2 * H * H,
    "slstm": 4 * (I * H + H * D + H),
    "sru": 4 * I * H + 2 * H + 2 * H,
}
