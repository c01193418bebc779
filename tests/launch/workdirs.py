"""Workdirs of runs that were never run, for what reads them."""

import datetime
import json

import experiments
from launch.records import CONFIG, Record
from launch.results import RESULT
from rnnlab.options import replaced


def make(folder, settings=(), loss=None, events=(), rows=()):
    """Writes a workdir of a language model and returns its path.

    Args:
        folder: to be made.
        settings: those that differ from the defaults, by name.
        loss: of validation, None for a run that has not finished.
        events: names, or (name, message).
        rows: of `metrics.jsonl`.
    """
    config = replaced(experiments.config("language_modeling")(), dict(settings))
    folder.mkdir(parents=True)
    record = Record("language_modeling", config, {"fingerprint": "0" * 64})
    (folder / CONFIG).write_text(json.dumps(record.to_json()))
    if loss is not None:
        result = {
            "experiment": "language_modeling",
            "valid": {"loss": loss, "bits_per_char": loss / 0.6931471805599453},
            "best_step": 20,
            "steps": 40,
            "seconds": 2.5,
            "tokens_per_second": 1000,
            "parameters": 5511,
        }
        (folder / RESULT).write_text(json.dumps(result))
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC).isoformat()
    told = [(event, "") if isinstance(event, str) else event for event in events]
    lines = [{"event": name, "message": why, "time": now} for name, why in told]
    _lines(folder / "events.jsonl", lines)
    _lines(folder / "metrics.jsonl", rows)
    return folder


def _lines(path, values):
    if values:
        path.write_text("".join(json.dumps(value) + "\n" for value in values))
