"""Settings of purchases: location of the manifest, spending limits and speed."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator

from bg_pipeline.core.credits import MOST_CREDITS
from bg_pipeline.core.gate import Thresholds, resume_above
from bg_pipeline.settings.part import Part, SecretLocation, TimeZone

Credits = Annotated[Decimal, Field(ge=0, le=MOST_CREDITS)]


class StateSettings(Part):
    """The location of the manifest. Alerts need it alone, whatever else is wrong."""

    state: SecretLocation = Field(
        SecretStr("sqlite:///./.bg_pipeline/manifest.db"),
        validate_default=True,
        description="manifest, ledger and gate: `sqlite:///FILE` or `postgresql+psycopg://…`",
    )


class AccountLimits(Part):
    """Limits of one account. A variable is the default for all accounts."""

    variables_are_defaults = True

    concurrency: int = Field(
        8, ge=1, le=64, description="requests in flight, for each account, of all catalogues together"
    )
    low_credits: Credits = Field(
        Decimal(5),
        description="the gate closes below this balance, credits. The default suits free plans; with a larger plan set"
        " it to what a few nights spend, so that the alert comes in time",
    )
    resume_credits: Credits | None = Field(
        None,
        description="the gate opens again at this balance; default: twice `BG_LOW_CREDITS`, from 50 on 50 more, from"
        " 500 on 10 % more",
    )

    @model_validator(mode="after")
    def _does_not_flap(self) -> "AccountLimits":
        if self.thresholds.resume < self.thresholds.low:
            raise ValueError("{resume_credits} must not be below {low_credits}: the gate would flap")
        return self

    @property
    def thresholds(self) -> Thresholds:
        low = self.low_credits
        return Thresholds(low, resume_above(low) if self.resume_credits is None else self.resume_credits)


class AccountSettings(AccountLimits):
    """What a table of an account has besides the settings of its vendor."""

    vendor: str = Field("", description="name of the vendor; default: the name of the table")
    max_credits_per_day: Credits | None = Field(
        None,
        description="all catalogues together stop before they spend more at this account in one day of its `timezone`;"
        " `BG_MAX_CREDITS_PER_DAY` is the cap of all accounts together",
    )
    timezone: TimeZone = Field("UTC", description="time zone of that day; default: `BG_TIMEZONE`")

    @classmethod
    def short_names(cls) -> dict[str, str]:
        return {**AccountLimits.short_names(), "timezone": "bg_timezone"}


class PurchasingSettings(StateSettings, AccountLimits):
    """Settings for all accounts together. All catalogues share the purchases, so no catalogue has these settings."""

    max_pixels_sent: int = Field(2500, ge=64, le=10_000, description="longest side that is sent, px")
    max_credits_per_day: Credits | None = Field(
        None,
        description="all runs of all catalogues together stop before they spend more in one day of `BG_TIMEZONE`, at"
        " all accounts",
    )
    in_doubt: Literal["retry", "hold"] = Field(
        "retry",
        description="after an answer is lost that may have been charged: `retry`, or `hold` the item for a person",
    )

    masters_keep_days: int = Field(
        0,
        ge=0,
        le=36_500,
        description="days for which a paid result is kept after its picture is gone or has changed, and its cutout left"
        " the trash; 0 keeps all. A picture that comes back later is bought again",
    )
