"""`bg-pipeline sandbox`: simulated vendors, usable without a real key."""

from decimal import Decimal
from pathlib import Path
from typing import get_args

import click

from bg_pipeline.cli.options import Credits
from bg_pipeline.sandbox.faults import Chance, load_faults
from bg_pipeline.sandbox.serve import serve
from bg_pipeline.sandbox.state import ANY_KEYS, DEFAULT_CREDITS, Plan, SandboxState


@click.command()
@click.option("--port", default=8787, show_default=True, type=click.IntRange(0, 65535))
@click.option("--credits", "credit_count", default=1000, show_default=True, type=Credits(), help="At each vendor.")
@click.option("--latency", default=0.0, show_default=True, type=click.FloatRange(min=0), metavar="S")
@click.option("--faults", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="JSON list of faults.")
@click.option(
    "--fault-rate",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Share of the calls that get a random fault.",
)
@click.option("--seed", default=0, show_default=True, help="The same seed gives faults to the same calls.")
@click.option("--photoroom-plan", default="basic", show_default=True, type=click.Choice(get_args(Plan)))
def sandbox(
    port: int,
    credit_count: Decimal,
    latency: float,
    faults: Path | None,
    fault_rate: float,
    seed: int,
    photoroom_plan: Plan,
) -> None:
    """Simulate three vendors: real wire formats, play money."""
    state = SandboxState(
        dict.fromkeys(DEFAULT_CREDITS, credit_count),
        latency_s=latency,
        faults=load_faults(faults) if faults else [],
        chance=Chance(rate=fault_rate, seed=seed),
        photoroom_plan=photoroom_plan,
    )
    serve(port, state, _announce)


def _announce(base_url: str) -> None:
    click.echo(f"sandbox at {base_url} (Ctrl-C ends it); use it with one of these:")
    for vendor, key in ANY_KEYS.items():
        name = vendor.upper()
        click.echo(f"  BG_PROVIDER={vendor} {name}_API_KEY={key} {name}_BASE_URL={base_url}")
    click.echo(f"ledger: {base_url}/_sandbox/ledger   state: {base_url}/_sandbox/state")
