"""Where the runs ran: versions, commit and device, each with its number of runs."""

import collections
from collections.abc import Mapping, Sequence
from typing import Any

from experiments import pages
from launch.parts.text import counted
from launch.runs import Run
from rnnlab.errors import shown

MOST = 8  # values of one fact, and facts
LONGEST = 200  # letters of a value


def environment(runs: Sequence[Run]) -> str:
    """Returns the facts as a list; of runs that have a result, which alone knows."""
    known = [run.result for run in runs if run.result]
    if not known:
        return "<p>No run has come to its end, where this is recorded.</p>"
    facts = {name: _distinct(known, name) for name in ("commit", "device")}
    versions = [_mapping(result.get("versions")) for result in known]
    packages = list(dict.fromkeys(name for found in versions for name in found))
    facts |= {shown(name): _distinct(versions, name) for name in packages[: 2 * MOST]}
    data = [_mapping(result.get("data")) for result in known]
    facts["data"] = _distinct(data, "fingerprint")
    return pages.facts({name: value for name, value in facts.items() if value})


def _distinct(found: Sequence[Mapping[str, Any]], name: str) -> str:
    """Returns the values of a fact; how many runs have each where there are several."""
    texts = [shown(str(one[name]))[:LONGEST] for one in found if one.get(name)]
    count = collections.Counter(texts)
    if len(count) == 1:
        return texts[0]
    listed = [f"{text} ({counted(n, 'run')})" for text, n in count.most_common(MOST)]
    return "; ".join(listed)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
