"""Settings of purchases: place of the records, spending limits and speed."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator

from bg_pipeline.core.gate import Thresholds
from bg_pipeline.settings.part import Part

Credits = Annotated[Decimal, Field(ge=0)]


class PurchasingSettings(Part):
    """Settings for all accounts together. All catalogues share the purchases, so no table has these settings."""

    state: SecretStr = Field(
        SecretStr("sqlite:///./.bg_pipeline/manifest.db"),
        description="manifest, ledger and gate: `sqlite:///FILE` or `postgresql+psycopg://…`",
    )
    concurrency: int = Field(8, ge=1, le=64, description="requests in flight, for each account")
    max_pixels_sent: int = Field(2500, ge=64, le=10_000, description="longest side that is sent, px")
    low_credits: Credits = Field(Decimal(50), description="the gate closes below this balance, credits")
    resume_credits: Credits | None = Field(
        None, description="and opens again at this one; default: threshold + the larger of 10 % and 50"
    )
    max_credits_per_run: Credits | None = Field(None, description="a sync, or a night, stops before it spends more")
    max_credits_per_day: Credits | None = Field(
        None, description="nothing spends more in one day of `BG_TIMEZONE`, all runs together"
    )
    in_doubt: Literal["retry", "hold"] = Field(
        "retry", description="`retry` or `hold` for a person: what may have been charged before its answer was lost"
    )

    @model_validator(mode="after")
    def _does_not_flap(self) -> "PurchasingSettings":
        if self.thresholds.resume < self.thresholds.low:
            raise ValueError("{resume_credits} must not be below {low_credits}: the gate would flap")
        return self

    @property
    def thresholds(self) -> Thresholds:
        low = self.low_credits
        return Thresholds(low, low + max(low / 10, Decimal(50)) if self.resume_credits is None else self.resume_credits)
