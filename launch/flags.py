"""A configuration dataclass as absl flags, and the way every command starts."""

import dataclasses
import os
import sys
from collections.abc import Callable
from typing import Any

from absl import app, flags, logging

from launch.allocator import keep_freed_memory
from rnnlab.errors import RunError
from rnnlab.options import base, none_allowed

_DEBUG = flags.DEFINE_bool("debug", False, "show tracebacks and libraries' logs")


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


_PARSERS: dict[type, Callable[[], flags.ArgumentParser]] = {
    int: flags.IntegerParser,
    float: flags.FloatParser,
    str: flags.ArgumentParser,
}


def define(defaults: Any) -> None:
    """Defines a flag for each option of a configuration, and of those inside it."""
    main = sys.argv[0]  # absl's name for the command, whose flags --help shows
    for field in dataclasses.fields(defaults):
        default = getattr(defaults, field.name)
        if dataclasses.is_dataclass(default):
            define(default)
            continue
        known = field.metadata["option"]
        if field.type is bool:
            flags.DEFINE_bool(field.name, default, known.help, module_name=main)
        elif known.choices is not None:
            flags.DEFINE_enum(
                field.name, default, known.choices, known.help, module_name=main
            )
        else:
            parser = _PARSERS[base(field)]()
            if none_allowed(field):
                parser = _OrNone(parser)
            flags.DEFINE(parser, field.name, default, known.help, module_name=main)


def read(kind: type) -> Any:
    """Returns the configuration that the flags describe.

    Raises:
        InputError: a value is out of its range.
    """
    values = {
        field.name: read(field.type)
        if dataclasses.is_dataclass(field.type)
        else flags.FLAGS[field.name].value
        for field in dataclasses.fields(kind)
    }
    return kind(**values)


def peek(name: str, choices: tuple[str, ...]) -> str:
    """Returns one flag's value before the others are defined, which depend on it."""
    early = flags.FlagValues()
    flags.DEFINE_enum(name, choices[0], choices, "", flag_values=early)
    try:
        early(flags.FLAGS.read_flags_from_files(sys.argv), known_only=True)
    except flags.Error as error:
        fail(str(error), 2)
    return early[name].value


def start(main: Callable[[], None]) -> None:
    """Parses the flags and runs `main`; an error becomes one line and an exit code."""
    flags.FLAGS.register_key_flag_for_module(sys.argv[0], flags.FLAGS["debug"])

    def guarded(rest: list[str]) -> None:
        if len(rest) > 1:
            fail(f"flags begin with --, got {' '.join(rest[1:])!r}", 2)
        keep_freed_memory()
        logging.set_verbosity(logging.INFO if _DEBUG.value else logging.WARNING)
        try:
            main()
        except RunError as error:
            if _DEBUG.value:
                raise
            fail(str(error), error.exit_code)
        except KeyboardInterrupt:
            fail("Stopped by SIGINT before there was anything to save.", 130)
        except BrokenPipeError:  # `| head` has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    app.run(guarded, flags_parser=_parse)


def fail(message: str, code: int) -> None:
    """Prints an error on one line and ends the process with `code`."""
    print(f"error: {' '.join(message.split())}", file=sys.stderr, flush=True)
    sys.exit(code)


def _parse(argv: list[str]) -> list[str]:
    """Returns what is left of the command line once the flags are read."""
    try:
        return flags.FLAGS(argv)
    except flags.Error as error:
        fail(f"{error} (--help lists all flags)", 2)
        raise
    except SystemExit:  # absl has printed the help, and calls that a failure
        sys.exit(0)
