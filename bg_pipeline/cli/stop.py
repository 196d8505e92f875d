"""`bg-pipeline stop`: end a run of another process, perhaps on another machine."""

import click

from bg_pipeline.cli import render
from bg_pipeline.cli.catalogues import one_catalogue
from bg_pipeline.cli.options import as_json, person, print_json
from bg_pipeline.cli.terminal import Terminal, say
from bg_pipeline.pipeline.stop import ask_to_stop, runs_at_work
from bg_pipeline.settings.reader import read
from bg_pipeline.wiring import open_monitor


@click.command()
@one_catalogue
@click.argument("run", required=False)
@as_json
def stop(catalogue: str | None, run: str | None, as_json: bool) -> None:
    """Ask a run to end, or list the runs at work. RUN is the begin of its name, on whichever machine it works."""
    with open_monitor(read(), catalogue) as monitor:
        if run:
            owner = ask_to_stop(monitor, run, person())
        at_work = runs_at_work(monitor)
    if as_json:
        print_json({"asked": owner} if run else {"at_work": at_work})
    elif run:
        say(f"asked to stop: {owner}; requests in flight are finished and kept")
    else:
        Terminal().print(render.grid(("run", "owner"), list(at_work.items())))
