"""Variants of the classic cells: plain, gated, with a memory, clocked, fixed."""

import functools

import numpy as np
from sizes import H, I

from equations.common import norm, sigmoid


def relu(a):
    return np.maximum(a, 0)


def blocks(a, count):
    return np.split(a, count, -1)


def irnn(p, h, x):
    h = relu(x @ p["kernel"] + p["bias"] + h @ p["recurrent"])
    return h, h


def indrnn(p, h, x):
    h = relu(x @ p["kernel"] + p["bias"] + h @ np.diag(p["recurrent"]))
    return h, h


def mgu(p, h, x):
    (w_f, w_n), (r_f, r_n) = blocks(p["kernel"], 2), blocks(p["recurrent"], 2)
    b_f, b_n = blocks(p["bias"], 2)
    f = sigmoid(x @ w_f + h @ r_f + b_f)
    n = np.tanh(x @ w_n + (f * h) @ r_n + b_n)
    h = (1 - f) * h + f * n
    return h, h


def mut1(p, h, x):
    (w_z, w_r, w_n), (r_r, r_n) = blocks(p["kernel"], 3), blocks(p["recurrent"], 2)
    b_z, b_r, b_n = blocks(p["bias"], 3)
    z = sigmoid(x @ w_z + b_z)
    r = sigmoid(x @ w_r + h @ r_r + b_r)
    h = np.tanh((r * h) @ r_n + np.tanh(x @ w_n) + b_n) * z + h * (1 - z)
    return h, h


def mut2(p, h, x, seen_by_z=lambda h: h):
    w_z, w_r, w_n = blocks(p["kernel"], 3)
    r_z, r_r, r_n = blocks(p["recurrent"], 3)
    b_z, b_r, b_n = blocks(p["bias"], 3)
    z = sigmoid(x @ w_z + seen_by_z(h) @ r_z + b_z)
    r = sigmoid(x @ w_r + h @ r_r + b_r)
    h = np.tanh((r * h) @ r_n + x @ w_n + b_n) * z + h * (1 - z)
    return h, h


mut3 = functools.partial(mut2, seen_by_z=np.tanh)


def layer_norm_gru(p, h, x):
    def normalised(a, gains):
        gates, candidate = np.split(a, [2 * H], -1)
        g_gates, g_candidate = np.split(gains, [2 * H])
        return *blocks(norm(gates) * g_gates, 2), norm(candidate) * g_candidate

    b_z, b_r, b_n = blocks(p["bias"], 3)
    x_z, x_r, x_n = normalised(x @ p["kernel"], p["kernel_scale"])
    h_z, h_r, h_n = normalised(h @ p["recurrent"], p["recurrent_scale"])
    z, r = sigmoid(x_z + h_z + b_z), sigmoid(x_r + h_r + b_r)
    n = np.tanh(x_n + b_n + r * (h_n + p["recurrent_bias"]))
    h = (1 - z) * h + z * n
    return h, h


def greff(p, carry, x, names, peepholes=True, g_act=np.tanh, h_act=np.tanh):
    """`names`: the blocks that exist; a gate without is 1, or 1 - i where tied."""
    c, h, *last = carry
    have = [name for name in names if name != "-"]
    columns = zip(
        *(blocks(p[part], len(have)) for part in ("kernel", "recurrent", "bias")),
        strict=True,
    )
    a = {k: x @ w + h @ r + b for k, (w, r, b) in zip(have, columns, strict=True)}
    if last and len(last[0]):  # full gate recurrence: nine matrices
        g = [blocks(rows, 3) for rows in np.split(p["gates"], 3)]
        of = dict(zip("ifo", blocks(last[0], 3), strict=True))
        for k, to in enumerate("ifo"):
            a[to] = a[to] + of["i"] @ g[0][k] + of["f"] @ g[1][k] + of["o"] @ g[2][k]
    gates = [name for name in have if name != "g"]
    weights = p["peephole"] if peepholes else np.zeros((len(gates), H))
    peep = dict(zip(gates, weights, strict=True))
    i = sigmoid(a["i"] + peep["i"] * c) if "i" in a else 1
    f = sigmoid(a["f"] + peep["f"] * c) if "f" in a else 1
    f = 1 - i if "-" in names else f
    c = f * c + i * g_act(a["g"])
    o = sigmoid(a["o"] + peep["o"] * c) if "o" in a else 1
    h = o * h_act(c)
    gates = (np.concatenate([i, f, o], -1),) if "gates" in p else ()
    return (c, h, *gates), h


def same(a):
    return a


GREFF = {
    "nig": functools.partial(greff, names="fgo"),
    "nfg": functools.partial(greff, names="igo"),
    "nog": functools.partial(greff, names="ifg"),
    "niaf": functools.partial(greff, names="ifgo", g_act=same),
    "noaf": functools.partial(greff, names="ifgo", h_act=same),
    "np": functools.partial(greff, names="ifgo", peepholes=False),
    "cifg": functools.partial(greff, names="i-go"),
    "fgr": functools.partial(greff, names="ifgo"),
}


def nas(p, carry, x):
    c, h = carry
    x = blocks(x @ p["kernel"] + p["bias"], 8)
    h = blocks(h @ p["recurrent"], 8)
    first = [
        sigmoid(x[0] + h[0]),
        relu(x[1] + h[1]),
        sigmoid(x[2] + h[2]),
        relu(x[3] * h[3]),
        np.tanh(x[4] + h[4]),
        sigmoid(x[5] + h[5]),
        np.tanh(x[6] + h[6]),
        sigmoid(x[7] + h[7]),
    ]
    second = [
        np.tanh(first[0] * first[1]),
        np.tanh(first[2] + first[3]),
        np.tanh(first[4] * first[5]),
        sigmoid(first[6] + first[7]),
    ]
    c = np.tanh(second[0] + c) * second[1]
    h = np.tanh(c * np.tanh(second[2] + second[3]))
    return (c, h), h


def clockwork(p, carry, x):
    old, phase = carry
    periods = (1, 2, 4)
    units = H // len(periods)
    h = old.copy()
    for k, _ in enumerate(periods):
        own = slice(k * units, (k + 1) * units)
        slow = slice(k * units, H)  # itself and the slower ones
        a = x @ p["kernel"][:, own] + p["bias"][own]
        a = a + old[..., slow] @ p["recurrent"][slow, own]
        due = phase[..., k : k + 1].round() == 0
        h[..., own] = np.where(due, np.tanh(a), old[..., own])
    return (h, (phase + 1) % periods), h


def echo_state(p, h, x):
    h = np.tanh(x @ p["kernel"] + p["bias"] + h @ p["recurrent"])
    return h, h


EQUATIONS = {
    "clockwork": clockwork,
    "echo_state": echo_state,
    "indrnn": indrnn,
    "irnn": irnn,
    "layer_norm_gru": layer_norm_gru,
    "mgu": mgu,
    "mut1": mut1,
    "mut2": mut2,
    "mut3": mut3,
    "nas": nas,
} | {f"greff_{variant}": equation for variant, equation in GREFF.items()}

BLOCK = I * H + H * H + H
PARAMETERS = {
    "clockwork": BLOCK,
    "echo_state": BLOCK,
    "greff_cifg": 3 * BLOCK + 2 * H,
    "greff_fgr": 4 * BLOCK + 3 * H + 9 * H * H,
    "greff_nfg": 3 * BLOCK + 2 * H,
    "greff_niaf": 4 * BLOCK + 3 * H,
    "greff_nig": 3 * BLOCK + 2 * H,
    "greff_noaf": 4 * BLOCK + 3 * H,
    "greff_nog": 3 * BLOCK + 2 * H,
    "greff_np": 4 * BLOCK,
    "indrnn": I * H + H + H,
    "irnn": BLOCK,
    "layer_norm_gru": 3 * BLOCK + 6 * H + H,
    "mgu": 2 * BLOCK,
    "mut1": 3 * BLOCK - H * H,
    "mut2": 3 * BLOCK,
    "mut3": 3 * BLOCK,
    "nas": 8 * BLOCK,
}
