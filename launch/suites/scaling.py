"""Tokens a second against devices: a model, from a step and a sum that are measured.

`python -m launch.suites.scaling --coordinator=...` is one of the processes that add.
"""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

import jax
import numpy as np

from launch import processes, scaling
from launch.flags import start
from launch.measuring import machine
from launch.measuring.outcome import Outcome
from launch.suites import lm
from rnnlab.training import mesh

SHAPE = lm.Shape(batch=20, steps=35, features=650, vocab_size=10_000)
SMALL, LARGE = 1 << 12, 1 << 26  # bytes that are added up
DEVICES = (1, 2, 4, 8, 16, 64)
GPU_STEP = 0.01  # seconds, an assumption
ASSUMED = (
    scaling.Network("10 Gbit/s Ethernet (assumed, 50 us)", 10e9 / 8, 50e-6),
    scaling.Network("100 Gbit/s Ethernet (assumed, 10 us)", 100e9 / 8, 10e-6),
    scaling.Network("NVLink (assumed: 300 GB/s, 5 us)", 300e9, 5e-6),
)


def measure(repeats: int) -> Outcome:
    """Returns the model's table, from medians of `repeats` steps and sums."""
    others = machine.others_share()
    step = step_seconds(repeats)
    network = localhost(repeats)
    model = scaling.sizes(SHAPE.features, SHAPE.vocab_size, lm.LAYERS)
    lines = [
        f"A model, not a measurement: tokens a second on n devices that have {SHAPE}"
        f" each (B, T, H, V; {lm.LAYERS} LSTM layers). Measured on one device:"
        f" {step:.3f} s a step, {SHAPE.tokens / step:,.0f} tokens/s. Measured between"
        f" two processes on this machine: sums at {network.rate / 1e9:.2f} GB/s, and"
        f" {network.latency * 1e6:.0f} us a turn. Gradients of"
        f" {scaling.reduced(model) / 1e6:.1f} MB are added up, and"
        f" {scaling.gathered(model, 'fsdp') / 1e6:.1f} MB gathered by fsdp. Medians of"
        f" {repeats}. Other processes had {others():.0%} of the cores meanwhile.",
        "",
        *table(model, step, [network, *ASSUMED]),
        "",
        f"The same model where a step takes {GPU_STEP * 1e3:.0f} ms, which is assumed:",
        "",
        *table(model, GPU_STEP, ASSUMED),
    ]
    return Outcome("\n".join(lines))


def table(
    model: scaling.Sizes, step: float, networks: Sequence[scaling.Network]
) -> list[str]:
    """Returns the lines of a table: tokens a second, and the share of all devices'."""
    heads = [f"{n} device" + "s" * (n > 1) for n in DEVICES]
    lines = [
        f"| network | rule | {' | '.join(heads)} |",
        f"|---|---|{'--:|' * len(DEVICES)}",
    ]
    for network in networks:
        for rule in mesh.RULES:
            cells = []
            for count in DEVICES:
                share = scaling.efficiency(model, rule, count, network, step)
                rate = count * SHAPE.tokens / step * share
                cells.append(f"{rate:,.0f} ({share:.0%})")
            lines.append(f"| {network.name} | {rule} | {' | '.join(cells)} |")
    return lines


def step_seconds(repeats: int) -> float:
    """Returns the median of a training step on one device."""
    run = lm.ours(SHAPE, lm.stream(SHAPE))
    return _median(run, repeats)


def localhost(repeats: int) -> scaling.Network:
    """Returns what gloo gives two processes on this machine."""
    with socket.socket() as one:
        one.bind(("localhost", 0))
        place = f"--coordinator=localhost:{one.getsockname()[1]}"
    command = [sys.executable, "-m", "launch.suites.scaling", f"--sums={repeats}"]
    both = [
        subprocess.Popen(
            [*command, place, "--processes=2", f"--process_id={k}"],
            cwd=machine.ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for k in (0, 1)
    ]
    told = [process.communicate(timeout=600)[0] for process in both]
    small, large = json.loads(told[0].splitlines()[-1])
    # Two devices send half of it twice, and each half is a turn.
    return scaling.Network("gloo on this machine (measured)", LARGE / large, small / 2)


def sums() -> None:
    """Measures sums over two processes; prints the seconds of a small and a large."""
    with processes.joined():
        layout = mesh.over(jax.devices(), "replicated")
        found = [_median(_sum(layout, size), SUMS.value) for size in (SMALL, LARGE)]
        print(json.dumps(found), flush=True)


def _sum(layout: mesh.Spread, size: int):
    """Returns a function that adds up `size` bytes of each process."""
    place = jax.sharding.NamedSharding(layout.mesh, mesh.ROWS)
    mine = np.ones((1, size // 4), np.float32)
    whole = jax.make_array_from_process_local_data(place, mine)
    add = jax.jit(
        lambda x: x.sum(0),
        out_shardings=jax.sharding.NamedSharding(layout.mesh, mesh.COPIES),
    )
    return lambda: jax.block_until_ready(add(whole))


def _median(run, repeats: int) -> float:
    """Returns the seconds of a call, the first left out."""
    run()
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        run()
        taken.append(time.perf_counter() - begun)
    return float(np.median(taken))


if __name__ == "__main__":
    from absl import flags

    SUMS = flags.DEFINE_integer("sums", 9, "how often", lower_bound=1)
    start(sums)
