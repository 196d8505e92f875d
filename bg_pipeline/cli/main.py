"""`bg-pipeline` and its commands, each loaded when it is used."""

import importlib
import logging
import sys
import traceback
from contextlib import suppress
from typing import Any

import click

import bg_pipeline
from bg_pipeline.cli.start import STOPPED, interruptible
from bg_pipeline.errors import BgPipelineError, ConfigurationError
from bg_pipeline.redaction import redacted

_COMMANDS = {
    "adopt": ("cli.maintenance", "Adopt cutouts that another tool made."),
    "alert-test": ("cli.alerts", "Send a test to every alert target and show which accepted it."),
    "canary": ("cli.canary", "Try a changed recipe on a few pictures; accept it for all."),
    "check": ("cli.maintenance", "Read the published outputs and compare them with the manifest."),
    "compare": ("cli.compare", "Compare vendors and engines on the same pictures."),
    "declare": ("cli.declare", "Let the settings of this host count for all hosts of a catalogue."),
    "demo": ("demo.run", "Run the whole pipeline on sample pictures; no key needed."),
    "doctor": ("cli.doctor", "Find problems that would stop a sync."),
    "export": ("cli.export", "Write the state of all items as a table for programs."),
    "failures": ("cli.failures", "List items that failed, and why; accept them."),
    "forget": ("cli.erase", "Erase items for good: cutouts, masters, answers and pages."),
    "gate": ("cli.money", "Show the gate of every account; open or close one by hand."),
    "ledger": ("cli.money", "List every purchase attempt and its cost."),
    "metrics": ("cli.metrics", "Print numbers for Prometheus, or serve them."),
    "plan": ("cli.nightly", "Show what the next sync would do and cost."),
    "prune": ("cli.erase", "Delete the masters that no item has used for BG_MASTERS_KEEP_DAYS."),
    "rebuild": ("cli.maintenance", "Rebuild a lost manifest from masters and outputs."),
    "retry": ("cli.nightly", "Try failed items again: the named ones, or all."),
    "revert": ("cli.revert", "Put back the cutouts that a run replaced, or list the runs."),
    "review": ("cli.review", "Show results to a person, and carry out what is decided."),
    "sandbox": ("cli.sandbox", "Simulate three vendors: real wire formats, play money."),
    "status": ("cli.reports", "Show the items by state, the gates and the spending."),
    "stop": ("cli.stop", "Ask a run to end, or list the runs at work."),
    "sync": ("cli.nightly", "Run the nightly job now."),
    "trash": ("cli.reports", "List cutouts of deleted pictures; restore named ones for good."),
    "why": ("cli.reports", "Show the history of one item: purchase attempts and decisions."),
}
"""
Module of each command, and its line in the list.

The list loads no module: most import the database and the clients, which would make it slow.
"""


class _Commands(click.Group):
    """Command group that loads a command on use, and turns errors of this package into one line and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"bg_pipeline.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        resolved = super().resolve_command(ctx, args)
        # Its modules are loaded: from here on, it may hold what has to be released.
        ctx.with_resource(interruptible())
        from bg_pipeline.cli.options import expect_json  # noqa: PLC0415  loaded by the command anyway

        expect_json(ctx, asked="--json" in args)
        _start_logs()
        return resolved

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in sorted(_COMMANDS.items())])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _end(STOPPED, "stopped on request")
            ctx.exit(STOPPED)
        except click.UsageError as error:
            _end(error.exit_code, error.format_message())
            raise
        except BgPipelineError as error:
            from bg_pipeline.cli.terminal import say  # noqa: PLC0415  as above
            from bg_pipeline.core.report import exit_code_of  # noqa: PLC0415

            say(f"bg-pipeline: {error}", err=True, level=logging.ERROR)
            code = exit_code_of(error)
            _end(code, str(error))
            ctx.exit(code)


def _end(code: int, reason: str) -> None:
    from bg_pipeline.cli.options import print_end  # noqa: PLC0415  as above
    from bg_pipeline.core.report import Exit  # noqa: PLC0415

    print_end(Exit(code), reason)


def _start_logs() -> None:
    from bg_pipeline.settings.logs import LogSettings, log_as_json  # noqa: PLC0415  as above
    from bg_pipeline.settings.reader import read  # noqa: PLC0415

    with suppress(ConfigurationError):  # the command tells it, with what else is wrong
        log_as_json(read().part(LogSettings))


def _print_fault(_kind: object, error: BaseException, _trace: object) -> None:
    """Print the traceback of a fault of this program: a library's text in it may quote a secret."""
    from bg_pipeline.settings.logs import line_for_stderr  # noqa: PLC0415  as above

    print(line_for_stderr(redacted("".join(traceback.format_exception(error)))), file=sys.stderr)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(bg_pipeline.__version__, prog_name="bg-pipeline")
@click.option("-v", "--verbose", is_flag=True, help="Print the vendors' own error texts on standard error.")
def main(verbose: bool) -> None:
    """
    Keep background-removed cutouts in step with a catalogue of product pictures.

    Settings come from the environment, .env and bg_pipeline.toml. Exit codes: 0 done, 1 some items failed,
    2 settings, 3 paused, 4 limit reached, 5 stopped by a guard, 6 another run is active, 7 fatal.
    """
    sys.excepthook = _print_fault
    lines = logging.StreamHandler()
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.CRITICAL, handlers=[lines])
    if verbose:
        from bg_pipeline.cli.terminal import LogLine  # noqa: PLC0415  as above

        lines.setFormatter(LogLine("%(asctime)s %(message)s"))
    # Only our own: libraries log URLs and headers, which hold keys and signatures.
    logging.getLogger("bg_pipeline").setLevel(logging.INFO)
    shown = "bg_pipeline" if verbose else "bg_pipeline.wiring.settings"
    lines.addFilter(lambda record: record.levelno >= (logging.WARNING if record.name.startswith(shown) else 99))
