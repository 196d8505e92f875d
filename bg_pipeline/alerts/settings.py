"""Settings of alerts."""

import re

from pydantic import Field, SecretStr, field_validator

from bg_pipeline.redaction import keep_secret, secrets_in
from bg_pipeline.settings.part import Part

_TOKEN = re.compile(r"(?<=[/:@=])(?=[^/:@?&=]*(?:\d|[a-z][A-Z]))[^/:@?&=.]{8,}(?![^/:@?&=])")
"""A part of a target's URL that may be a token: it has a digit or a capital inside, and is no host."""


class AlertSettings(Part):
    """Targets of notifications, the failure rate that raises an alert, and the addresses for links."""

    alert_urls: SecretStr = Field(
        SecretStr(""), description="Apprise URLs that receive alerts, separated by commas or white space"
    )
    alert_failure_rate: float = Field(0.2, ge=0, le=1, description="alert when more than this share of items fails")
    dagster_url: str = Field("", description="address of Dagster's UI, for the links in alerts")

    review_url: str = Field(
        "",
        description="address of `bg-pipeline review --serve`, for the links in alerts and in Dagster's UI, such as"
        " `http://127.0.0.1:8786`. Its port is the one to serve on",
    )
    operating_url: str = Field(
        "",
        description="address of [operating.md](operating.md), where every alert has an entry, for the links in alerts;"
        " default: its path in this project",
    )

    @field_validator("alert_urls")
    @classmethod
    def _are_urls(cls, value: SecretStr) -> SecretStr:
        for number, url in enumerate(_split(value), start=1):
            keep_secret(url, *secrets_in(url), *_TOKEN.findall(url))
            if not re.fullmatch(r"[a-z][a-z0-9+.-]*://\S+", url, re.IGNORECASE):
                raise ValueError(f"entry {number} is no Apprise URL, such as slack://… or mailto://…")
        return value

    @field_validator("dagster_url", "review_url", "operating_url")
    @classmethod
    def _a_page(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^\s@?]+", value):
            raise ValueError("must be a URL without a password, such as http://127.0.0.1:3000")
        return value.rstrip("/")

    @property
    def urls(self) -> list[str]:
        """Return the URLs in clear text, only for the part that sends."""
        return _split(self.alert_urls)


def _split(value: SecretStr) -> list[str]:
    # A URL may contain commas: only a comma before the next URL is a separator.
    return [
        url for url in re.split(r"[\s,]+(?=[a-zA-Z][\w+.-]*://)|\s+", value.get_secret_value().strip(" ,\n")) if url
    ]
