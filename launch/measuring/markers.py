"""Parts of a Markdown file that a command writes: they stand between two comments."""

from pathlib import Path

from rnnlab.errors import InputError
from rnnlab.files import write_atomic


def replace(file: Path, name: str, content: str) -> None:
    """Puts `content` between the markers of `name`.

    Raises:
        InputError: the file or a marker is missing.
        StorageError: the file cannot be written.
    """
    before, _, after = split(file, name)
    begin, end = markers(name)
    write_atomic(file, f"{before}{begin}\n{content}\n{end}{after}")


def split(file: Path, name: str) -> tuple[str, str, str]:
    """Returns what stands before the markers, between them and after them.

    Raises:
        InputError: the file or a marker is missing.
    """
    begin, end = markers(name)
    text = file.read_text() if file.exists() else ""
    before, found, rest = text.partition(begin)
    between, closed, after = rest.partition(end)
    if not found or not closed:
        raise InputError(
            f"{file} needs the markers {begin} and {end} around what is written there;"
            f" add them where it should stand."
        )
    return before, between.strip("\n"), after


def markers(name: str) -> tuple[str, str]:
    """Returns the comments before and after what is written."""
    return f"<!-- {name} -->", f"<!-- /{name} -->"
