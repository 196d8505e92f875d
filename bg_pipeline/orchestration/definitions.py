"""The code location: all catalogues of the settings. An only one has names without a prefix."""

import dagster as dg

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.orchestration.build import build_all, openers
from bg_pipeline.settings.reader import read, written_names
from bg_pipeline.wiring.settings import catalogue_names


def _several() -> tuple[str, ...]:
    """
    Return the names of the catalogues if there are several, also where the file is wrong.

    Dagster forgets the switch of a schedule that is gone from a location that loads.
    """
    try:
        names = catalogue_names(read())
    except ConfigurationError:
        names = written_names("catalogue")
    return names if len(names) > 1 else ()


OPENERS = openers(_several(), read)
"""Opens each catalogue."""

defs = dg.Definitions.merge(
    build_all(OPENERS, start=True),
    # Also for what people materialize by hand.
    dg.Definitions(executor=OPENERS[0].loaded_executor()),
)
