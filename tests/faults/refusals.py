"""What it is to refuse an input well."""

from launch.flags import LINE

SLOW = 20.0  # seconds


def check(ended, *words, code=2):
    """Asserts that a command ended with one line that has the words."""
    assert ended.code == code, ended.err
    assert "Traceback" not in ended.err
    assert ended.error.startswith("error: ") and ended.error.isprintable()
    assert len(ended.error) <= LINE
    assert ended.seconds < SLOW
    assert not ended.out
    for word in words:
        assert word in ended.error


def begun(folder):
    """Returns the names of what a run has written, anywhere in the folder."""
    written = {"config.json", "events.jsonl", "metrics.jsonl", "result.json"}
    return written & {path.name for path in folder.rglob("*")}
