"""What commands share: who runs them, and JSON for programs."""

import getpass
import json
import os
import socket
from typing import Any

import click

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def print_json(value: Any) -> None:
    click.echo(json.dumps(value))


def owner() -> str:
    """Who holds a lease, for the message that others get."""
    return f"{getpass.getuser()}@{socket.gethostname()}, process {os.getpid()}"
