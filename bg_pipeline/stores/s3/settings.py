"""Settings of S3."""

from pydantic import Field

from bg_pipeline.settings.part import Part, ServerUrl


class S3Settings(Part):
    """Address of the server. Credentials and region come from the standard AWS configuration."""

    s3_endpoint: ServerUrl = Field(
        "", description="URL of an S3-compatible server; default: `AWS_ENDPOINT_URL`, or AWS"
    )
