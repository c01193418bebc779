"""What the best language model writes."""

from collections.abc import Iterator
from html import escape

import jax
import numpy as np

from launch import trained, writing
from launch.parts.subject import Subject
from launch.parts.text import counted, plain
from launch.runs import Run
from rnnlab.data import tokenizers
from rnnlab.errors import RunError
from rnnlab.nn.generation import Sampling, sample

TOKENS = 400  # of a text


def best(subject: Subject) -> Run | None:
    """Returns the best finished run of a language model, or None."""
    judged = [
        (value, run)
        for run in subject.runs
        if run.record.experiment == "language_modeling" and run.state == "finished"
        for value in [run.figure(subject.metric)]
        if value is not None
    ]
    choose = min if subject.better == "min" else max
    return choose(judged, key=lambda pair: pair[0])[1] if judged else None


def texts(run: Run, count: int) -> list[str]:
    """Returns texts that a run's best checkpoint writes.

    Raises:
        RunError: no checkpoint can be read.
    """
    record, task, state = trained.restore(str(run.folder))
    tokenizer = tokenizers.from_json(record.data["tokenizer"])
    ids = writing.beginning(tokenizer)
    key = jax.random.key(0)
    steps = sample(task.model, state.params, [ids] * count, TOKENS, key, Sampling())
    columns = np.stack(list(steps), axis=1).tolist()
    return [tokenizer.decode(column) for column in columns]


def section(subject: Subject, count: int) -> Iterator[str]:
    """Yields what the best run writes, or why it writes nothing."""
    run = best(subject)
    if run is None or not count:
        return
    yield "<h2>What the best run writes</h2>"
    place = escape(subject.place(run.folder))
    try:
        written = texts(run, count)
    except RunError as error:
        yield f"<p>{place} writes nothing: {plain(error)}</p>"
        return
    yield f'<p class="claim">{place}, {counted(count, "text")} of {TOKENS} tokens.</p>'
    yield from (f"<pre>{plain(text)}</pre>" for text in written)
