"""`bg-pipeline`: its commands, each loaded when it is used."""

import importlib
import logging
from typing import Any

import click

import bg_pipeline
from bg_pipeline.errors import BgPipelineError

_COMMANDS = {
    "adopt": ("cli.maintenance", "Takes over cutouts that another tool made."),
    "alert-test": ("cli.alerts", "Sends a test to every target; says which took it."),
    "check": ("cli.maintenance", "Reads what is on show and compares it with the record."),
    "demo": ("demo.run", "The whole job on sample pictures; no key needed."),
    "doctor": ("cli.doctor", "Finds what would keep a sync from working."),
    "failures": ("cli.reports", "What failed or is in quarantine, and why."),
    "gate": ("cli.money", "Who may be sent anything; open or close a gate by hand."),
    "ledger": ("cli.money", "Every purchase that was tried, and what it cost."),
    "plan": ("cli.nightly", "What the next sync would do and cost."),
    "rebuild": ("cli.maintenance", "Brings a lost manifest back from masters and outputs."),
    "retry": ("cli.nightly", "Try failed items again: those named, or all."),
    "review": ("cli.maintenance", "Lists suspicious results, and lets a person decide."),
    "sandbox": ("cli.sandbox", "Three simulated vendors: real wire formats, play money."),
    "status": ("cli.reports", "Items by state, the gate, and what was spent."),
    "sync": ("cli.nightly", "The nightly job, here and now."),
    "trash": ("cli.reports", "Cutouts of deleted pictures; puts back those named, to stay."),
    "why": ("cli.reports", "One item's story, with every purchase tried."),
}
"""
Module of each command, and its line in the list.

The list loads no module: most need the database and the services, which would make it slow.
"""


class _Commands(click.Group):
    """Command group that loads a command on use, and converts errors of this package to a sentence and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"bg_pipeline.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in sorted(_COMMANDS.items())])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BgPipelineError as error:
            from bg_pipeline.cli.render import printable  # noqa: PLC0415  as above
            from bg_pipeline.core.report import exit_code_of  # noqa: PLC0415

            click.echo(f"bg-pipeline: {printable(str(error))}", err=True)
            ctx.exit(exit_code_of(error))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(bg_pipeline.__version__, prog_name="bg-pipeline")
@click.option("-v", "--verbose", is_flag=True, help="Tell on standard error what services refuse, in their words.")
def main(verbose: bool) -> None:
    """
    Keeps background-removed cutouts in step with a catalogue of product pictures.

    Settings come from the environment, .env and bg_pipeline.toml. Exit codes: 0 done, 1 some items failed,
    2 settings, 3 paused, 4 budget reached, 5 a guard stopped it, 6 another run is at work, 7 fatal.
    """
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING if verbose else logging.CRITICAL)
