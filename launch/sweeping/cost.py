"""What a sweep will take, before it is begun: parameters, operations, time."""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import jax

import experiments
from launch import runs
from launch.measuring import machine
from launch.records import CONFIG
from launch.sweeping.points import RUNS, Point
from rnnlab.options import flat, hard

OPERATIONS = 6  # a parameter and target: a product forwards, and two backwards
SHOWN = 50  # points, at most
MEASURED = 0.5  # seconds


def plan(experiment: str, points: Sequence[Point], folder: Path) -> str:
    """Returns the points of a sweep and an estimate of their cost, for a person.

    Where points have finished in `folder`, the others are taken to cost as much an
    operation; else the time is what they take at the rate of a large product.

    Raises:
        InputError: the data of a point cannot be read.
    """
    sizes = {point.key: size for point, size in _sizes(experiment, points)}
    took, over = {}, set()
    for point in points:
        place = folder / RUNS / point.key
        if not (place / CONFIG).exists():
            continue
        run = runs.read(place)
        if run.state in ("finished", "diverged"):
            over.add(point.key)
        if run.state == "finished":
            seconds = float(run.result.get("seconds", 0.0))
            took[point.key] = seconds / run.result.get("together", 1)
    width = max(len(point.name) for point in points[:SHOWN])
    lines = [f"{'point':{width}}  parameters     steps  operations  seconds"]
    for point in points[:SHOWN]:
        parameters, steps, operations = sizes[point.key]
        seconds = f"{took[point.key]:,.0f}" if point.key in took else ""
        lines.append(
            f"{point.name:{width}}  {parameters:10,}  {steps:8,}  {operations:10.2g}"
            f"  {seconds:>7}"
        )
    if len(points) > SHOWN:
        lines.append(f"... and {len(points) - SHOWN:,} more")
    left = sum(sizes[p.key][2] for p in points if p.key not in over)
    lines.append(
        f"{len(points):,} point{'s' * (len(points) > 1)}, {len(over):,} ended."
        f" {OPERATIONS} operations a parameter and target make {left:.2g} that are"
        f" left:"
    )
    if took:
        each = statistics.median(s / sizes[key][2] for key, s in took.items())
        lines.append(
            f"about {_time(left * each)} of one process, as fast as those finished."
        )
    else:
        rate = _rate()
        lines.append(
            f"{_time(left / rate)} at the {rate / 1e9:.0f} GFLOP/s of a large product"
            f" here: a step is slower, and faster where an embedding or an output layer"
            f" of samples has most of the parameters."
        )
    return "\n".join(lines)


def _sizes(experiment: str, points: Sequence[Point]):
    """Yields each point with its parameters, steps and operations."""
    known = {}
    for point in points:
        shape = tuple(hard(point.config).items())
        if shape not in known:
            made = experiments.load(experiment).build(point.config)
            key = jax.random.key(0)
            params = jax.eval_shape(made.task.init, key)
            count = sum(leaf.size for leaf in jax.tree.leaves(params))
            known[shape] = count, made.targets, made.task.steps_per_epoch
        count, targets, epoch = known[shape]
        settings = flat(point.config)
        steps = settings["steps"] or settings["epochs"] * epoch
        yield point, (count, steps, OPERATIONS * count * targets * steps)


def _rate() -> float:
    """Returns the operations a second of a large product."""
    run = machine.product()
    run()
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < MEASURED:
        run()
        count += 1
    return count * machine.PRODUCT_OPERATIONS / (time.perf_counter() - began)


def _time(seconds: float) -> str:
    """Returns a time in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
