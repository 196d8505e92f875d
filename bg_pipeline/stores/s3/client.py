"""Client of S3, configured from the standard AWS configuration."""

import logging
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.stores.s3.page import parse_page

ATTEMPTS = 5
"""Times that a request is sent."""

_CONNECT_S, _READ_S, _CONNECTIONS = 10, 60, 64


def open_client(endpoint: str, profile: str) -> Any:
    """
    Return a boto3 client of S3 whose listings have a `Page`.

    Args:
        endpoint: URL of an S3-compatible server; empty for that of the profile, the value of AWS_ENDPOINT_URL, or AWS.
        profile: of the AWS configuration, with credentials, region and endpoint; empty for the default.

    Raises:
        ConfigurationError: the AWS configuration cannot be used.
    """
    for name in ("boto3", "botocore", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)  # at lower levels they log signed requests
    config = Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        connect_timeout=_CONNECT_S,
        read_timeout=_READ_S,
        max_pool_connections=_CONNECTIONS,
        # Else botocore puts it together for each request, which takes half as long as to sign it.
        user_agent="bg-pipeline",
        # "auto" puts the bucket into the path, except at AWS: other servers rarely have a host name for each one.
        s3={"addressing_style": "auto", "payload_signing_enabled": True},
        # The checksum is chosen here; older servers refuse the trailing ones that boto3 adds.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    try:
        core = botocore.session.Session(profile=profile or None)
        # AWS_REGION and AWS_ENDPOINT_URL win over a profile that AWS_PROFILE names, but are not meant for this one.
        own = core.get_scoped_config() if profile else {}
        client = boto3.session.Session(botocore_session=core, region_name=own.get("region")).client(
            "s3", endpoint_url=endpoint or own.get("endpoint_url"), config=config
        )
    except (BotoCoreError, ValueError) as error:
        why = "its endpoint is no URL" if isinstance(error, ValueError) else str(error)
        raise ConfigurationError(
            f"the AWS configuration cannot be used: {why}; check AWS_PROFILE, AWS_REGION and AWS_ENDPOINT_URL"
        ) from error
    if "@" in client.meta.endpoint_url:
        raise ConfigurationError(
            "AWS_ENDPOINT_URL must be a URL without credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    # With this star it runs before botocore's own check of the body, which parses all of it again.
    client.meta.events.register("before-parse.*.ListObjectsV2", _parse_page)
    return client


def _parse_page(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """
    Parse a listing here, because botocore's parser needs twenty times as long.

    Signing, retries and errors stay with botocore.
    """
    if response_dict["status_code"] == 200 and (page := parse_page(response_dict["body"])):
        customized_response_dict["Page"] = page
        response_dict["body"] = b""
