"""`bg-pipeline declare`: a changed setting, where several hosts work for one catalogue."""

import click

from bg_pipeline.cli.catalogues import each_catalogue
from bg_pipeline.cli.options import as_json, print_json
from bg_pipeline.cli.terminal import say
from bg_pipeline.core.agreement import Purpose
from bg_pipeline.wiring import open_pipeline
from bg_pipeline.wiring.settings import load_settings


@click.command()
@each_catalogue(by_default=False)
@as_json
def declare(catalogue: str, as_json: bool) -> None:
    """Let the settings of this host count for all hosts of a catalogue. Others with other ones are refused."""
    settings = load_settings(catalogue)
    with open_pipeline(settings) as pipeline:
        pipeline.agree(Purpose.DECLARE)
    if as_json:
        print_json({"catalogue": settings.catalogue_name})
    else:
        say("the settings of this host count from now on: change those of the others")
