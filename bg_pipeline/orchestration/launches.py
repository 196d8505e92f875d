"""What a person can ask of a run in Dagster's launchpad."""

from typing import Any

import dagster as dg
from pydantic import Field, ValidationError, field_validator

from bg_pipeline.core.night_window import ends_at, parse_time
from bg_pipeline.orchestration.opener import Step
from bg_pipeline.settings.sentences import explain


class LaunchConfig(dg.Config):
    """The limits of a launch. A wrong value fails the run in one sentence, before it does anything."""

    until: str = Field(
        default="", description="time of day in BG_TIMEZONE, such as `06:00`, from which this run buys nothing"
    )

    def __init__(self, **values: Any) -> None:
        """
        Validate the fields.

        Raises:
            Failure: a value is wrong.
        """
        try:
            super().__init__(**values)
        except ValidationError as error:
            shown = {name: name for name in type(self).model_fields}
            problems = [explain(each, type(self), shown) for each in error.errors()]
            raise dg.Failure("; ".join(problems), allow_retries=False) from None

    @field_validator("until")
    @classmethod
    def _is_a_time(cls, value: str) -> str:
        if value:
            parse_time(value)
        return value

    def ends_at(self, step: Step, timezone: str) -> float | None:
        """
        Return the first moment of `until` after the launch, also for a repeated step; None for no end.

        Args:
            step: a step of the run.
            timezone: of `until`.
        """
        record = step.instance.get_run_record_by_id(step.run.run_id) if self.until else None
        if record is None:
            return None
        return ends_at(record.create_timestamp.timestamp(), parse_time(self.until), timezone)
