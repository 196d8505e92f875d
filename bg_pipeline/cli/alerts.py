"""`bg-pipeline alert-test`: a test of the alert targets."""

import click

from bg_pipeline.cli import render
from bg_pipeline.cli.options import as_json, print_json
from bg_pipeline.cli.terminal import Terminal, say
from bg_pipeline.core.report import Exit
from bg_pipeline.pipeline.alerting.notify import try_targets
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import load_settings


@click.command("alert-test")
@as_json
def alert_test(as_json: bool) -> None:
    """Send a test to every alert target and show which accepted it."""
    with open_pipeline(load_settings()) as pipeline:
        results = try_targets(pipeline.alerting, pipeline.run)
        backlog = pipeline.alerting.outbox.backlog()
    rows = [(target.name, took_it, *backlog.get(target.digest, (0, 0))) for target, took_it in results]
    if as_json:
        print_json([dict(zip(("target", "took_it", "waiting", "given_up"), row, strict=True)) for row in rows])
    else:
        cells = [(name, "yes" if took_it else "no", str(waiting), str(lost)) for name, took_it, waiting, lost in rows]
        Terminal().print(render.grid(("target", "accepted", "waiting", "given up"), cells, numbers=(2, 3)))
        if not all(took_it for _, took_it in results):
            say("for a target that did not accept it: check its URL, and that its server answers within 15 seconds")
    click.get_current_context().exit(Exit.DONE if all(took_it for _, took_it in results) else Exit.SOME_FAILED)
