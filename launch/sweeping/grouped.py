"""Points that differ in numbers a program takes as arrays: several are one job."""

from collections.abc import Sequence
from typing import Any

from launch.sweeping.jobs import Job, Together
from launch.sweeping.points import Point
from rnnlab.options import flat
from rnnlab.training.together import VARIED


def jobs(points: Sequence[Point], singles: Sequence[Job], most: int) -> list[Job]:
    """Returns jobs of up to `most` points, in the order of their first ones.

    Args:
        points: of a sweep.
        singles: a job for each.
        most: points of one job.
    """
    alike: dict[Any, list[tuple[Point, Job]]] = {}
    for point, job in zip(points, singles, strict=True):
        varied = names(point)
        rest = {k: v for k, v in flat(point.config).items() if k not in varied}
        alike.setdefault(tuple(rest.items()), []).append((point, job))
    return [
        _job(same[first : first + most])
        for same in alike.values()
        for first in range(0, len(same), most)
    ]


def names(point: Point) -> tuple[str, ...]:
    """Returns the settings that points of one job may differ in."""
    return (*VARIED, *point.config.traced)


def _job(part: Sequence[tuple[Point, Job]]) -> Job:
    """Returns the job of points that are alike."""
    first = part[0][1]
    if len(part) == 1:
        return first
    varied = names(part[0][0])
    own = tuple(f"--{name}=" for name in varied)
    shared = [flag for flag in first.arguments if not flag.startswith(own)]
    members = ";".join(
        ",".join(f"{name}={flat(point.config)[name]}" for name in varied)
        for point, _ in part
    )
    return Together(
        first.key,
        f"{first.name} and {len(part) - 1} more",
        (*shared, f"--members={members}"),
        first.folder,
        tuple(job for _, job in part),
    )
