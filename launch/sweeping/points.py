"""The runs of a sweep: each a configuration, and a folder that is named by it."""

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from launch.groups import SEED
from launch.groups import shown as as_text
from launch.sweeping import space
from launch.sweeping.space import Settings, Value
from rnnlab import files
from rnnlab.errors import IncompatibleCheckpoint, InputError
from rnnlab.options import flat, replaced

SWEEP = "sweep.json"
RUNS = "runs"
MANY = 1000  # points that nobody asks for by mistake


class Plan(NamedTuple):
    """What a sweep varies, as its flags say it.

    Attributes:
        grid: settings and values: all combinations.
        ranges: settings and ranges to draw from.
        random: draws; each is run with each combination of the grid.
        draw_seed: of the draws.
        ablate: settings and values: the base, and each change of it alone.
        seeds: runs of each configuration, from the base's seed on.
    """

    grid: str | None = None
    ranges: str | None = None
    random: int | None = None
    draw_seed: int = 0
    ablate: str | None = None
    seeds: int = 1


class Point(NamedTuple):
    """A run.

    Attributes:
        key: names its folder: a hash of experiment and configuration.
        changed: its settings that are not the base's.
        config: all of its settings.
    """

    key: str
    changed: Mapping[str, Value]
    config: Any

    @property
    def name(self) -> str:
        """What tells it from the base, in a line."""
        changes = (f"{k}={as_text(v)}" for k, v in self.changed.items())
        return ", ".join(changes) or "base"


def expand(experiment: str, base: Any, plan: Plan, many: bool) -> list[Point]:
    """Returns all points, those with the first seed first.

    Args:
        experiment: a key of `EXPERIMENTS`.
        base: the configuration that points differ from.
        plan: what is varied.
        many: whether there may be more than `MANY`.

    Raises:
        InputError: the plan varies nothing, or what is no setting, or makes a
            configuration that cannot be, or one twice, or too many.
    """
    _check(plan)
    first = flat(base)[SEED]
    count, changes = _changes(base, plan)
    if count * plan.seeds > MANY and not many:
        raise InputError(
            f"A sweep of at most {MANY:,} points was wanted, and this one has"
            f" {count * plan.seeds:,}; pass --yes if that is meant."
        )
    seen: dict[str, str] = {}
    points = []
    changes = list(changes)
    for seed, change in itertools.product(range(first, first + plan.seeds), changes):
        varied = change | ({SEED: seed} if plan.seeds > 1 else {})
        name = Point("", varied, base).name
        try:
            config = replaced(base, varied)
        except InputError as error:
            raise InputError(f"The point {name} cannot be run: {error}") from error
        key = key_of(experiment, config)
        if key in seen:
            raise InputError(
                f"The points of a sweep must differ, but {name} is {seen[key]} again"
                f" with what all share; leave one out, or share another value."
            )
        seen[key] = name
        points.append(Point(key, varied, config))
    return points


def key_of(experiment: str, config: Any) -> str:
    """Returns 12 hexadecimal digits, the same for equal experiments and settings.

    Settings at their defaults are left out: one that comes later, and whose default
    is what was done before it, changes no key.
    """
    defaults = flat(type(config)())
    own = {k: v for k, v in flat(config).items() if v != defaults[k]}
    text = json.dumps([experiment, own], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def write(
    folder: Path, experiment: str, base: Any, plan: Plan, points: list[Point]
) -> None:
    """Writes `sweep.json`; a sweep that is there may grow, and not become another.

    Raises:
        IncompatibleCheckpoint: the folder has a sweep with other points than these.
        InputError: what is there is no sweep.
        StorageError: it cannot be written.
    """
    old = read(folder)
    keys = {point.key for point in points}
    lost = [p for p in old.get("points", ()) if p["run"] not in keys]
    if lost:
        raise IncompatibleCheckpoint(
            f"{folder} holds a sweep of {len(old['points'])} points, of which"
            f" {len(lost)} are not among these {len(points)}, such as"
            f" {lost[0]['name']}; pass the sweep's own flags, or more values and seeds,"
            f" or another --workdir."
        )
    files.write_json(
        folder / SWEEP,
        {
            "experiment": experiment,
            "plan": plan._asdict(),
            "base": key_of(experiment, base),
            "points": [
                {"run": point.key, "name": point.name, "changed": dict(point.changed)}
                for point in points
            ],
        },
    )


def read(folder: Path) -> dict[str, Any]:
    """Returns what `write` wrote, {} where there is nothing.

    Raises:
        InputError: it is something else.
    """
    file = folder / SWEEP
    if not file.exists():
        return {}
    found = files.read_json(file)
    match found:
        case {"experiment": str(), "plan": {}, "base": str(), "points": [*points]}:
            if all(map(_is_point, points)):
                return found
    raise InputError(f"{file} should be a sweep's; pass another --workdir.")


def _is_point(value: Any) -> bool:
    match value:
        case {"run": str(), "name": str(), "changed": {}}:
            return True
    return False


def _check(plan: Plan) -> None:
    """Raises InputError for flags that do not go together."""
    if plan.ablate and (plan.grid or plan.ranges):
        raise InputError(
            "--ablate changes one setting at a time, and was given with --grid or"
            " --ranges; run two sweeps."
        )
    if bool(plan.ranges) != (plan.random is not None):
        given, lacking = ("ranges", "random") if plan.ranges else ("random", "ranges")
        raise InputError(
            f"--random=N draws from --ranges='learning_rate=log:1e-4..1e-1', but"
            f" --{given} came without --{lacking}; give both."
        )
    if not (plan.grid or plan.ranges or plan.ablate or plan.seeds > 1):
        raise InputError(
            "A sweep needs --grid, --ranges with --random, --ablate or --seeds, and"
            " got none; for a single run there is launch.run."
        )


def _changes(base: Any, plan: Plan) -> tuple[int, Iterator[dict[str, Value]]]:
    """Returns how many configurations there are, and what each changes."""
    settings = Settings(base)
    if plan.ablate:
        axes = settings.choices("ablate", plan.ablate)
        singles = [{k: value} for k, values in axes.items() for value in values]
        _once({**axes}, plan)
        return 1 + len(singles), iter([{}, *singles])
    choices = settings.choices("grid", plan.grid) if plan.grid else {}
    axes = settings.axes("ranges", plan.ranges) if plan.ranges else {}
    both = sorted(choices.keys() & axes.keys())
    if both:
        raise InputError(
            f"--grid and --ranges must vary different settings, got {both[0]} in both;"
            f" leave it out of one."
        )
    _once({**choices, **axes}, plan)
    drawn = space.draws(axes, plan.random or 1, plan.draw_seed)
    count = space.size(choices) * len(drawn)
    return count, (one | draw for one in space.grid(choices) for draw in drawn)


def _once(axes: Mapping[str, Any], plan: Plan) -> None:
    """Raises InputError where the seed is varied in two ways."""
    if SEED in axes and plan.seeds > 1:
        raise InputError(
            "--seeds=N runs N seeds of each configuration, and the seed is varied"
            " besides; leave one out."
        )
