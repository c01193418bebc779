"""Goes on from each line that is typed: `python -m launch.complete --workdir=DIR`.

:temperature 0.5   changes a setting, none to unset it
:settings          shows all settings
:help              shows this
:quit              ends, as the end of the input does

Ctrl-C stops the text that is being written; at the prompt, it ends the command.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator

from absl import flags

from launch import of_run, writing
from launch.flags import define, line, read, start
from launch.writing import Writer, Writing
from rnnlab.errors import InputError
from rnnlab.options import flat, nearest, replaced

FLAGS = flags.FLAGS

of_run.define_workdir()


def main() -> None:
    """Restores the model; reads lines and writes what follows."""
    settings = read(Writing)
    writer = writing.load(FLAGS.workdir)
    writing.token(writer.tokenizer, settings.until)  # not for the first line to tell
    for number, text in enumerate(typed()):
        try:
            if not text.startswith(":"):
                write(writer, settings, text, number)
                continue
            name, _, value = text[1:].strip().partition(" ")
            if name == "quit":
                return
            settings = obeyed(settings, name, value.strip())
        except InputError as error:
            print(line(str(error)), file=sys.stderr, flush=True)


def typed() -> Iterator[str]:
    """Yields the lines of standard input; at a terminal it can be edited.

    Ctrl-C ends the process with 130 at a terminal. Elsewhere the signal itself ends
    it, which a shell shows as 130: a handler in Python that is called between the
    prompt and the read would wait for the next line.
    """
    sys.stdin.reconfigure(errors="surrogateescape")  # unknown, not an error
    prompt, interrupt = "", signal.SIG_DFL
    if sys.stdin.isatty() and sys.stdout.isatty():
        import readline  # noqa: F401  input() has a history then

        prompt, interrupt = "> ", signal.default_int_handler
    else:
        signal.signal(signal.SIGINT, interrupt)  # between two lines as well
    while True:
        try:
            former = signal.signal(signal.SIGINT, interrupt)
            try:
                text = input(prompt)
            finally:
                signal.signal(signal.SIGINT, former)
        except EOFError:
            return
        except KeyboardInterrupt:  # readline has put the terminal in order
            sys.exit(128 + signal.SIGINT)
        yield text


def write(writer: Writer, settings: Writing, text: str, number: int) -> None:
    """Writes what follows a text, as it is drawn.

    Args:
        writer: the model.
        settings: how.
        text: the line.
        number: of the line, for other draws in each.

    Raises:
        InputError: the line or --until is not of the vocabulary.
    """
    import jax

    from rnnlab.nn.generation import sample

    tokenizer, how = writer.tokenizer, settings.sampling
    prompt = writing.encoded(tokenizer, text, "A line", settings.unknown)
    end = writing.token(tokenizer, settings.until)
    with interruptible() as asked:  # while it compiles, too
        key = jax.random.fold_in(jax.random.key(settings.seed), number)
        length = settings.length
        steps = sample(writer.model, writer.params, [prompt], length, key, how)
        ids = writing.upto((int(step[0]) for step in steps), end)
        for piece in tokenizer.stream(ids):
            if asked.is_set():
                break
            print(piece, end="", flush=True)
        print(flush=True)


@contextlib.contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Gives an event that Ctrl-C sets; a second one ends the process with 130."""
    asked = threading.Event()

    def ask(number, frame):
        if asked.is_set():
            os._exit(128 + number)
        asked.set()

    former = signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, former)


def obeyed(settings: Writing, name: str, value: str) -> Writing:
    """Returns the settings after a command, which may write something.

    Raises:
        InputError: there is no such command, or it takes another value.
    """
    known = flat(settings)
    if name == "help":
        print(__doc__)
    elif name == "settings":
        for name, value in known.items():
            print(f":{name} {'none' if value is None else value}")
    elif name in known:
        try:
            parsed = FLAGS[name].parser.parse(value)
        except ValueError as error:
            raise InputError(f":{name} {value!r:.80}: {error}") from error
        return replaced(settings, {name: parsed})
    else:
        names = ["help", "quit", "settings", *known]
        meant = nearest(name, names) or f"; it is one of {', '.join(names)}."
        raise InputError(f"A command was wanted after the colon, got {name!r}{meant}")
    return settings


if __name__ == "__main__":
    define(Writing())
    start(main)
