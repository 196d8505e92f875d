"""`bg-pipeline alert-test`: a test of the alert targets."""

import click

from bg_pipeline.cli import render
from bg_pipeline.cli.options import as_json, print_json
from bg_pipeline.cli.terminal import Terminal, say
from bg_pipeline.core.report import Exit
from bg_pipeline.pipeline.alerting.notify import try_targets
from bg_pipeline.settings.reader import read
from bg_pipeline.wiring import open_monitor
from bg_pipeline.wiring.settings import catalogue_names


@click.command("alert-test")
@as_json
def alert_test(as_json: bool) -> None:
    """Send a test to every alert target and show which accepted it."""
    raw = read()
    with open_monitor(raw, catalogue_names(raw)[0]) as monitor:  # the targets are those of all catalogues
        results = try_targets(monitor.alerting, monitor.now)
        backlog = monitor.alerting.outbox.backlog()
    rows = [(target.name, not refusal, refusal, *backlog.get(target.digest, (0, 0))) for target, refusal in results]
    accepted_all = not any(refusal for _, refusal in results)
    if as_json:
        print_json(
            [dict(zip(("target", "took_it", "refusal", "waiting", "given_up"), row, strict=True)) for row in rows]
        )
    else:
        cells = [
            (name, "yes" if took_it else "no", str(waiting), str(lost)) for name, took_it, _, waiting, lost in rows
        ]
        Terminal().print(render.grid(("target", "accepted", "waiting", "given up"), cells, numbers=(2, 3)))
        for target, refusal in results:
            if refusal:
                say(f"{target.name} did not accept it: {refusal}")
    click.get_current_context().exit(Exit.DONE if accepted_all else Exit.SOME_FAILED)
