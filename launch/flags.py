"""A configuration dataclass as absl flags, and the way every command starts."""

import collections
import dataclasses
import functools
import itertools
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from types import FrameType
from typing import Any, NoReturn

from absl import app, flags, logging

from launch import compilations
from launch.allocator import keep_freed_memory
from rnnlab.errors import InputError, RunError, shown
from rnnlab.options import base, nearest, none_allowed
from rnnlab.training.signals import STOPPING

LINE = 600  # characters of an error at most
SHOWN = 12  # names that a flag may have, all of which an error lists
MISSING = re.compile(r"Flag (--\w+) must have a value other than None")

_DEBUG = flags.DEFINE_bool("debug", False, "show tracebacks and libraries' logs")


class _Worded(flags.ArgumentParser):
    """Parses as another parser does; says in our words what was wanted."""

    def __init__(self, parser: flags.ArgumentParser, wanted: str):
        super().__init__()
        self._parser, self._wanted = parser, wanted
        self.syntactic_help = parser.syntactic_help

    def parse(self, argument: Any) -> Any:
        try:
            return self._parser.parse(argument)
        except (TypeError, ValueError) as error:
            raise ValueError(self._wanted) from error

    def flag_type(self) -> str:
        return self._parser.flag_type()


class _OrNone(flags.ArgumentParser):
    """Parses `none` as None, and anything else as another parser does."""

    def __init__(self, parser: flags.ArgumentParser):
        super().__init__()
        self._parser = parser
        self.syntactic_help = f"{parser.syntactic_help or 'a string'}, or none"

    def parse(self, argument: Any) -> Any:
        if argument is None or argument == "none":
            return None
        return self._parser.parse(argument)

    def flag_type(self) -> str:
        return self._parser.flag_type()


class _Choice(flags.EnumParser):
    """Parses a name; one that is not known is refused with those most like it."""

    def parse(self, argument: str) -> str:
        names = self.enum_values
        if argument not in names:
            listed = ", ".join(names) if len(names) <= SHOWN else f"{len(names)} names"
            raise ValueError(f"one of {listed} was wanted{nearest(argument, names)}")
        return argument


_SWITCH = _Worded(
    flags.BooleanParser(),
    "it is given or left out, or given with `no` before its name",
)
_PARSERS: dict[type, flags.ArgumentParser] = {
    int: _Worded(flags.IntegerParser(), "a whole number was wanted, such as 3"),
    float: _Worded(flags.FloatParser(), "a number was wanted, such as 0.5 or 3e-4"),
    str: flags.ArgumentParser(),
}


def define(defaults: Any, into: flags.FlagValues = flags.FLAGS) -> None:
    """Defines a flag for each option of a configuration, and of those inside it."""
    # The name that absl has for the command, whose flags --help shows.
    where: dict[str, Any] = {"flag_values": into, "module_name": sys.argv[0]}
    for field in dataclasses.fields(defaults):
        name, default = field.name, getattr(defaults, field.name)
        if dataclasses.is_dataclass(default):
            define(default, into)
            continue
        known = field.metadata["option"]
        if field.type is bool:
            flags.DEFINE_bool(name, default, known.help, **where)
            into[name].parser = _SWITCH
        elif known.choices is not None:
            flags.DEFINE_enum(name, default, known.choices, known.help, **where)
            into[name].parser = _Choice(known.choices)
        else:
            parser = _PARSERS[base(field)]
            if none_allowed(field):
                parser = _OrNone(parser)
            flags.DEFINE(parser, name, default, known.help, **where)


def read(kind: type, known: flags.FlagValues = flags.FLAGS) -> Any:
    """Returns the configuration that the flags describe.

    Raises:
        InputError: a value is out of its range.
    """
    values = {
        field.name: read(field.type, known)
        if dataclasses.is_dataclass(field.type)
        else known[field.name].value
        for field in dataclasses.fields(kind)
    }
    return kind(**values)


def peek(name: str, choices: tuple[str, ...]) -> str:
    """Returns one flag's value before the others are defined, which depend on it."""
    early = flags.FlagValues()
    flags.DEFINE_enum(name, choices[0], choices, "", flag_values=early)
    early[name].parser = _Choice(choices)
    try:
        early([sys.argv[0], *_from_files(sys.argv[1:], early)], known_only=True)
    except InputError as error:
        fail(str(error), error.exit_code)
    except flags.Error as error:
        fail(str(error), 2)
    return early[name].value


def parse(
    argv: Sequence[str],
    known: flags.FlagValues = flags.FLAGS,
    places: Sequence[str] = (),
) -> list[str]:
    """Reads the flags of a command line into `known`; returns the other arguments.

    Args:
        argv: the name of the command, then its arguments.
        known: the flags that there are.
        places: names of the arguments without dashes.

    Raises:
        InputError: a flag is not known, stands there twice, or has no value or one of
            another kind; or another number of arguments has no dashes.
    """
    arguments = _from_files(argv[1:], known)
    repeated = _repeated(argv[1:], known)  # what a file says may be said otherwise
    if repeated:
        raise InputError(
            f"--{repeated[0]} must be given once, got it again; leave one out"
        )
    for flag, after in itertools.pairwise(arguments):
        if _wants_value(flag, known) and after.startswith("--"):
            raise InputError(
                f"{flag} needs a value, got the flag {after}; write {flag}=VALUE."
            )
    try:
        given = known([argv[0], *arguments])[1:]
    # ValueError: absl's, of --noresume=1.
    except (flags.Error, ValueError) as error:
        if missing := MISSING.search(str(error)):
            raise InputError(
                f"{missing[1]} is wanted, got none; add {missing[1]}=VALUE (--help"
                f" lists all flags)."
            ) from error
        raise InputError(f"{error} (--help lists all flags)") from error
    from_file = [word for word in given if word not in argv]
    if from_file:
        raise InputError(
            f"--flagfile must name a file of flags, which begin with --, got a line"
            f" {from_file[0]!r:.80}; mend the file."
        )
    if len(given) != len(places):
        wanted = f"{' '.join(places)} was wanted" if places else "Flags were wanted"
        raise InputError(
            f"{wanted}, and flags begin with --, got {' '.join(given)!r}; add what is"
            f" missing, or leave out what is too much."
        )
    return given


def start(main: Callable[..., None], *places: str) -> None:
    """Parses the flags and runs `main`; an error becomes one line and an exit code.

    Args:
        main: what the command does.
        places: names of arguments without dashes, which `main` is given in this order.
    """
    flags.FLAGS.register_key_flag_for_module(sys.argv[0], flags.FLAGS["debug"])

    def guarded(rest: list[str]) -> None:
        keep_freed_memory()
        compilations.keep()
        logging.set_verbosity(logging.INFO if _DEBUG.value else logging.FATAL)
        if not _DEBUG.value:  # readers that an error cut short complain of it
            sys.unraisablehook = lambda _: None
        try:
            main(*rest[1:])
        except RunError as error:
            if _DEBUG.value:
                raise
            fail(str(error), error.exit_code)
        except BrokenPipeError:  # `| head` has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    for number in STOPPING:
        signal.signal(number, _stop_at_once)
    app.run(guarded, flags_parser=functools.partial(_parse, places))


def fail(message: str, code: int) -> NoReturn:
    """Prints an error on one line and ends the process with `code`."""
    print(line(message), file=sys.stderr, flush=True)
    # Nothing stands below it: neither warnings, nor threads that end with the disk.
    warnings.simplefilter("ignore")
    threading.excepthook = lambda _: None
    sys.exit(code)


def line(message: str) -> str:
    """Returns an error as it is shown: a line, without the middle of a long one."""
    text = shown(f"error: {message}")
    if len(text) <= LINE:
        return text
    return f"{text[: LINE - 205]} ... {text[-200:]}"


def _stop_at_once(number: int, frame: FrameType | None) -> None:
    """Ends the process where there is nothing to save: outside of a training loop.

    No exception: one that comes while XLA compiles takes the interpreter with it.
    """
    name = signal.Signals(number).name
    told = f"error: Stopped by {name}; what was saved before is whole.\n"
    os.write(sys.stderr.fileno(), told.encode())
    os._exit(128 + number)


def _repeated(arguments: Iterable[str], known: flags.FlagValues) -> list[str]:
    """Returns the flags that stand there more than once, as they are named."""
    names = (
        argument.lstrip("-").partition("=")[0]
        for argument in arguments
        if argument.startswith("-")
    )
    count = collections.Counter(
        name if name in known else name.removeprefix("no")
        for name in names
        if name != "flagfile"
    )
    return [name for name in count if count[name] > 1 and name in known]


def _from_files(arguments: Sequence[str], known: flags.FlagValues) -> list[str]:
    """Returns the arguments of flag files, then the others, which stand above them.

    Raises:
        InputError: a flag file cannot be read.
    """
    of_files = [
        word.lstrip("-").startswith("flagfile=")
        or "--flagfile" in (word, before)  # and its name
        for before, word in itertools.pairwise(("", *arguments))
    ]
    ordered = sorted(
        zip(of_files, arguments, strict=True), key=lambda pair: not pair[0]
    )
    try:
        return known.read_flags_from_files([w for _, w in ordered], force_gnu=False)
    except (flags.Error, UnicodeDecodeError) as error:
        cause = error.__context__ if isinstance(error, flags.Error) else None
        reason = cause.strerror if isinstance(cause, OSError) else error
        names = [w for w in arguments if w.lstrip("-").startswith("flagfile")]
        raise InputError(
            f"--flagfile must name a text file with a flag a line, got"
            f" {' '.join(names)!r:.80} ({reason}); name another."
        ) from error


def _wants_value(argument: str, known: flags.FlagValues) -> bool:
    """Returns whether the value of this flag is the next argument."""
    name = argument.lstrip("-")
    return argument.startswith("-") and name in known and not known[name].boolean


def _parse(places: Sequence[str], argv: list[str]) -> list[str]:
    """Returns the command and what is left of its line once the flags are read."""
    try:
        return [argv[0], *parse(argv, places=places)]
    except InputError as error:
        fail(str(error), error.exit_code)
    except SystemExit:  # absl has printed the help, and calls that a failure
        sys.exit(0)
