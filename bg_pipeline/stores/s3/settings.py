"""Settings of S3."""

from urllib.parse import urlsplit

from pydantic import Field, field_validator

from bg_pipeline.settings.part import Part


class S3Settings(Part):
    """Address of the server. Credentials and region come from the standard AWS configuration."""

    s3_endpoint: str = Field("", description="URL of an S3-compatible server; default: `AWS_ENDPOINT_URL`, or AWS")

    @field_validator("s3_endpoint")
    @classmethod
    def _a_server(cls, value: str) -> str:
        url = urlsplit(value)
        if value and (url.scheme not in {"https", "http"} or not url.hostname or url.username or url.password):
            raise ValueError("must be a URL without credentials, such as https://s3.example.com")
        return value
