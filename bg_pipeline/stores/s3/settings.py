"""Settings of S3."""

from pydantic import Field, ValidationInfo, field_validator, model_validator

from bg_pipeline.settings.part import Part, ServerUrl

_ENUMERATIONS = {
    "s3_acl": "ObjectCannedACL",
    "s3_storage_class": "StorageClass",
    "s3_encryption": "ServerSideEncryption",
}
"""Enumerations of Amazon's model of the API, by setting."""

_NOT_READ_AT_ONCE = {"GLACIER", "DEEP_ARCHIVE"}
"""Storage classes from which an object has to be restored for hours before it can be read."""


class S3Settings(Part):
    """Address of the server, and how objects are written. Credentials and region come from the AWS configuration."""

    s3_endpoint: ServerUrl = Field(
        "", description="URL of an S3-compatible server; default: `AWS_ENDPOINT_URL`, or AWS"
    )
    s3_profile: str = Field(
        "",
        description="profile of `~/.aws/config` with credentials, `region` and `endpoint_url`; default: `AWS_PROFILE`,"
        " or what AWS tools find. A source, an output and the masters can each have another",
    )
    s3_cache_control: str = Field("", description="`Cache-Control` of cutouts, such as `public, max-age=86400`")
    s3_acl: str = Field("", description="canned ACL of cutouts, such as `public-read`; default: the bucket's")
    s3_storage_class: str = Field("", description="storage class of cutouts, such as `INTELLIGENT_TIERING`")
    s3_encryption: str = Field(
        "", description="encryption of all that is written: `AES256` or `aws:kms`; default: the bucket's"
    )
    s3_kms_key: str = Field("", description="id or ARN of the key for `aws:kms`; default: the account's")

    @field_validator(*_ENUMERATIONS)
    @classmethod
    def _known(cls, value: str, info: ValidationInfo) -> str:
        if not value:
            return value
        import botocore.session  # noqa: PLC0415  it takes a third of a second

        model = botocore.session.get_session().get_service_model("s3")
        enumeration = model.shape_for(_ENUMERATIONS[str(info.field_name)]).enum
        known = [each for each in enumeration if each not in _NOT_READ_AT_ONCE]
        if value not in known:
            raise ValueError(f"must be one of {', '.join(known)}")
        return value

    @field_validator("s3_cache_control", "s3_kms_key")
    @classmethod
    def _a_header(cls, value: str) -> str:
        if not (value.isascii() and value.isprintable()):
            raise ValueError("must be plain characters on one line")
        return value

    @model_validator(mode="after")
    def _is_for_kms(self) -> "S3Settings":
        if self.s3_kms_key and not self.s3_encryption.startswith("aws:kms"):
            raise ValueError("{s3_kms_key} needs {s3_encryption}=aws:kms")
        return self

    def with_profile(self, profile: str) -> "S3Settings":
        """Return the settings for another profile: its own endpoint counts, and not the one of the others."""
        return self.model_copy(update={"s3_profile": profile, "s3_endpoint": ""})

    def options(self, *, outputs: bool) -> dict[str, str]:
        """Return the parameters of every PutObject: of cutouts, or of all else."""
        options = {"ServerSideEncryption": self.s3_encryption, "SSEKMSKeyId": self.s3_kms_key}
        if outputs:
            options |= {
                "CacheControl": self.s3_cache_control,
                "ACL": self.s3_acl,
                "StorageClass": self.s3_storage_class,
            }
        return {name: value for name, value in options.items() if value}
