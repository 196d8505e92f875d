"""Values for a monitoring system, as it reads them: a name, a help text and a value for each set of labels."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, named by the rules of Prometheus: base units, `_total` at the end of a counter."""

    name: str
    help: str
    labels: Labels = ()
    """Names of the labels."""
    values: Mapping[Labels, float] = field(default_factory=dict)
    """Value by the values of the labels."""

    @property
    def is_counter(self) -> bool:
        """True for a sum that never falls; all others are what is true now."""
        return self.name.endswith("_total")
