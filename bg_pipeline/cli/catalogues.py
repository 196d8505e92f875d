"""`--catalogue` and `--all`: the catalogues that a command works on."""

import functools
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import click

from bg_pipeline.cli.options import collected_json, print_end, print_json
from bg_pipeline.cli.terminal import say
from bg_pipeline.core.report import Exit, exit_code_of, worst
from bg_pipeline.errors import BgPipelineError, ConfigurationError
from bg_pipeline.ports.context import Pipeline
from bg_pipeline.settings.reader import RawSettings, read
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import catalogue_names, choose, chosen_by_variable, settings_of

_STOPPED = "bg_pipeline.stopped"
"""Key in click's context: a signal asked the whole command to stop."""

Command = Callable[..., None]

one_catalogue = click.option(
    "--catalogue", metavar="NAME", help="Name of the catalogue; default: BG_CATALOGUE, or the only one."
)
"""Option of a command that works on one catalogue, for `load_settings`."""


def each_catalogue(
    *, by_default: bool, asks: Callable[[Mapping[str, Any]], bool] = lambda _options: False
) -> Callable[[Command], Command]:
    """
    Let a command that works on one catalogue work on several, one after the other.

    What is wrong with one of them stops no other; the exit code is the worst.

    Args:
        by_default: True if the command works on all of them unless one is named; False if that has to be asked for,
            by `--all`.
        asks: returns True for options with which the command changes something: then one has to be named.
    """

    def decorate(function: Command) -> Command:
        @functools.wraps(function)
        def command(*, catalogue: str | None, all_catalogues: bool = by_default, **options: Any) -> None:
            takes_all = all_catalogues and not (by_default and asks(options))
            names = _chosen(catalogue, all_catalogues=takes_all, by_default=by_default)
            if len(names) == 1:
                function(catalogue=names[0], **options)
            else:
                _run_each(function, names, options)

        if not by_default:
            option = click.option("--all", "all_catalogues", is_flag=True, help="All catalogues, one after the other.")
            command = option(command)
        return one_catalogue(command)

    return decorate


def named_catalogue(catalogue: str | None) -> str | None:
    """Return the catalogue of the option, or else that of BG_CATALOGUE; None for all of them."""
    return catalogue or chosen_by_variable(read())


def named_catalogues(raw: RawSettings, catalogue: str | None) -> tuple[str, ...]:
    """
    Return the named catalogue, or else that of BG_CATALOGUE, or else all.

    Raises:
        ConfigurationError: there is no such catalogue.
    """
    chosen = catalogue or chosen_by_variable(raw)
    return (choose(raw, chosen),) if chosen else catalogue_names(raw)


def _chosen(catalogue: str | None, *, all_catalogues: bool, by_default: bool) -> tuple[str, ...]:
    raw = read()
    if not all_catalogues:
        return (choose(raw, catalogue),)
    if by_default:
        return named_catalogues(raw, catalogue)
    if catalogue:
        raise click.UsageError("--catalogue and --all exclude each other")
    return catalogue_names(raw)


def _run_each(function: Command, names: Sequence[str], options: Mapping[str, Any]) -> None:
    context = click.get_current_context()
    as_json, printed, codes = bool(options.get("as_json")), dict[str, Any](), dict[str, Exit]()
    for number, name in enumerate(names):
        if not as_json:
            say(f"catalogue {name}:")
        with collected_json() as values:
            codes[name] = _code_of(function, name, options)
        printed[name] = values[0] if values else None
        if context.meta.get(_STOPPED):
            for other in names[number + 1 :]:
                say(f"bg-pipeline: {other}: not begun, because the command was stopped", err=True)
            break
    code = worst(codes.values())
    if as_json:
        reason = "; ".join(f"{name}: {each.name.lower()}" for name, each in codes.items() if each)
        print_json(printed, code, reason or "done")
    context.exit(code)


def _code_of(function: Command, name: str, options: Mapping[str, Any]) -> Exit:
    """Run a command for one catalogue; return its exit code. An error is printed, and is a value for a program."""
    try:
        function(catalogue=name, **options)
    except click.exceptions.Exit as ended:
        return Exit(ended.exit_code)
    except BgPipelineError as error:
        say(f"bg-pipeline: {name}: {error}", err=True)
        code = exit_code_of(error)
        print_end(code, str(error))
        return code
    except Exception as error:  # noqa: BLE001  whatever is wrong with one catalogue stops no other
        sys.excepthook(type(error), error, error.__traceback__)
        print_end(Exit.FATAL, f"a fault of this program: {type(error).__name__}")
        return Exit.FATAL
    return Exit.DONE


@contextmanager
def ends_all(stop: threading.Event) -> Iterator[None]:
    """If `stop` is set in this block, begin no further catalogue after it."""
    try:
        yield
    finally:
        if stop.is_set():
            click.get_current_context().meta[_STOPPED] = True


@contextmanager
def open_each(catalogue: str | None = None) -> Iterator[dict[str, Pipeline]]:
    """
    Open the pipelines of all catalogues by name, or that of one. What is wrong with one is printed, and leaves it out.

    Raises:
        ConfigurationError: there is no such catalogue, or none can be opened.
    """
    raw = read()
    names, opened = named_catalogues(raw, catalogue), dict[str, Pipeline]()
    with ExitStack() as stack:
        for name in names:
            try:
                opened[name] = stack.enter_context(open_pipeline(settings_of(raw, name)))
            except ConfigurationError as error:
                if len(names) == 1:
                    raise
                say(f"bg-pipeline: {name} is left out: {error}", err=True)
        if not opened:
            raise ConfigurationError("no catalogue can be opened; `bg-pipeline doctor` shows why")
        yield opened
