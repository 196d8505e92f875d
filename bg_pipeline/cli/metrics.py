"""`bg-pipeline metrics`: the state in numbers, for a monitoring system."""

import threading

import click

from bg_pipeline.cli.catalogues import one_catalogue, open_each
from bg_pipeline.cli.terminal import say
from bg_pipeline.pipeline.metrics import metrics_of
from bg_pipeline.web.metrics import DEFAULT_PORT, served, text_of


@click.command()
@one_catalogue
@click.option("--serve", is_flag=True, help="Serve them at /metrics until interrupted.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on. There is no login.")
@click.option(
    "--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(0, 65535), help="0 chooses a free one."
)
def metrics(catalogue: str | None, serve: bool, host: str, port: int) -> None:
    """Print numbers for Prometheus, or serve them. Items, stages, requests, credits, balances and gates."""
    with open_each(catalogue) as pipelines:
        if not serve:
            click.echo(text_of(lambda: metrics_of(pipelines)), nl=False)
            return
        with served(
            lambda: metrics_of(pipelines), lambda error: say(f"bg-pipeline: {error}", err=True), host=host, port=port
        ) as number:
            say(f"metrics at http://{host}:{number}/metrics (Ctrl-C ends it)")
            threading.Event().wait()
