"""Discretised equations, norm-keeping matrices, time and what is missing, batches."""

import numpy as np
from sizes import H, I

from equations.basic import convolved
from equations.common import sigmoid


def antisymmetric_matrix(p):
    w = p["recurrent"]
    return w - w.T - 0.01 * np.eye(len(w))


def antisymmetric(p, h, x):
    h = h + 0.1 * np.tanh(x @ p["kernel"] + p["bias"] + h @ antisymmetric_matrix(p))
    return h, h


def gated_antisymmetric(p, h, x):
    (v_z, v), (b_z, b) = np.split(p["kernel"], 2, -1), np.split(p["bias"], 2)
    a = h @ antisymmetric_matrix(p)
    h = h + 0.1 * sigmoid(x @ v_z + b_z + a) * np.tanh(x @ v + b + a)
    return h, h


def cornn(p, carry, x, dt=0.05, gamma=2.7, epsilon=4.7):
    y, z = carry
    of_y, of_z = np.split(p["recurrent"], 2, 0)
    force = np.tanh(y @ of_y + z @ of_z + x @ p["kernel"] + p["bias"])
    z = z + dt * force - dt * gamma * y - dt * epsilon * z
    y = y + dt * z
    return (y, z), y


def lem(p, carry, x):
    y, z = carry
    r_1, r_2, r_z, r_y = np.split(p["recurrent"], 4, -1)
    v_1, v_2, v_z, v_y = np.split(x @ p["kernel"] + p["bias"], 4, -1)
    dt_1, dt_2 = sigmoid(y @ r_1 + v_1), sigmoid(y @ r_2 + v_2)
    z = (1 - dt_1) * z + dt_1 * np.tanh(y @ r_z + v_z)
    y = (1 - dt_2) * y + dt_2 * np.tanh(z @ r_y + v_y)
    return (y, z), y


def unitary_matrix(p):
    n = H // 2
    k = np.arange(n)
    fourier = np.exp(-2j * np.pi * np.outer(k, k) / n) / np.sqrt(n)
    d_1, d_2, d_3 = (np.diag(np.exp(1j * angles)) for angles in p["angles"])
    permutation = np.eye(n)[np.random.default_rng(0).permutation(n)]

    def reflection(parts):
        v = parts[:n] + 1j * parts[n:]
        return np.eye(n) - 2 * np.outer(v, v.conj()) / np.vdot(v, v)

    r_1, r_2 = (reflection(parts) for parts in p["reflections"])
    return d_3 @ r_2 @ fourier.conj().T @ d_2 @ permutation @ r_1 @ fourier @ d_1


def unitary(p, h, x):
    real, imaginary = np.split(p["kernel"], 2, -1)
    z = x @ (real + 1j * imaginary) + h @ unitary_matrix(p).T
    modulus = np.sqrt(np.abs(z) ** 2 + 1e-5)
    h = np.maximum(modulus + p["bias"], 0) * z / modulus
    return h, np.concatenate([h.real, h.imag], -1)


def exprnn(p, h, x):
    a = np.zeros((H, H))
    a[np.triu_indices(H, 1)] = p["skew"]
    angles, vectors = np.linalg.eigh(1j * (a - a.T))
    rotation = ((vectors * np.exp(-1j * angles)) @ vectors.conj().T).real
    z = x @ p["kernel"] + h @ rotation
    h = np.sign(z) * np.maximum(np.abs(z) + p["bias"], 0)
    return h, h


def ctrnn(p, h, x):
    x, gap = x if isinstance(x, tuple) else (x, 1.0)
    tau = np.exp(p["log_tau"])
    target = np.tanh(x @ p["kernel"] + p["bias"] + h @ p["recurrent"])
    h = np.exp(-gap / tau) * h + (1 - np.exp(-gap / tau)) * target
    return h, h


def gru_d(p, carry, x):
    h, last = carry
    x, m, gap = x
    gamma_x = np.exp(-np.maximum(0, p["input_decay"] * gap + p["input_decay_bias"]))
    gamma_h = np.exp(-np.maximum(0, gap @ p["state_decay"] + p["state_decay_bias"]))
    x_hat = m * x + (1 - m) * (gamma_x * last + (1 - gamma_x) * p["mean"])
    h = gamma_h * h
    w, v = np.split(p["kernel"], 2, 0)
    u = x_hat @ w + m @ v + p["bias"]
    (u_r, u_z, u_n), (r_r, r_z, r_n) = (np.split(a, 3, -1) for a in (u, p["recurrent"]))
    r, z = sigmoid(u_r + h @ r_r), sigmoid(u_z + h @ r_z)
    h = (1 - z) * np.tanh(u_n + (r * h) @ r_n) + z * h
    return (h, m * x + (1 - m) * last), h


def batch_norm(a):
    axes = tuple(range(a.ndim - 1))
    return (a - a.mean(axes)) / np.sqrt(a.var(axes) + 1e-5)


def batch_norm_lstm(p, carry, x):
    c, h = carry
    a = p["kernel_scale"] * batch_norm(x @ p["kernel"]) + p["bias"]
    a = a + p["recurrent_scale"] * batch_norm(h @ p["recurrent"])
    i, f, g, o = np.split(a, 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(p["memory_scale"] * batch_norm(c) + p["memory_bias"])
    return (c, h), h


def conv_gru(p, h, x):
    u_r, u_z, u_n = np.split(convolved(x, p["kernel"]) + p["bias"], 3, -1)
    w_r, w_z, w_n = np.split(p["recurrent"], 3, -1)
    r, z = sigmoid(u_r + convolved(h, w_r)), sigmoid(u_z + convolved(h, w_z))
    h = (1 - z) * np.tanh(u_n + convolved(r * h, w_n)) + z * h
    return h, h


EQUATIONS = {
    "antisymmetric": antisymmetric,
    "batch_norm_lstm": batch_norm_lstm,
    "conv_gru": conv_gru,
    "cornn": cornn,
    "ctrnn": ctrnn,
    "exprnn": exprnn,
    "gated_antisymmetric": gated_antisymmetric,
    "gru_d": gru_d,
    "lem": lem,
    "unitary": unitary,
}
PARAMETERS = {
    "antisymmetric": I * H + H * H + H,
    "batch_norm_lstm": 4 * (I * H + H * H + 3 * H) + 2 * H,
    "conv_gru": 3 * (9 * I * H + 9 * H * H + H),
    "cornn": I * H + 2 * H * H + H,
    "ctrnn": I * H + H * H + 2 * H,
    "exprnn": I * H + H * (H - 1) // 2 + H,
    "gated_antisymmetric": 2 * (I * H + H) + H * H,
    "gru_d": 3 * (2 * I * H + H * H + H) + 3 * I + I * H + H,
    "lem": 4 * (I * H + H * H + H),
    "unitary": I * H + 7 * H // 2 + H // 2,
}
