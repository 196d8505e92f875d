"""How hosts on the network are reached: an egress proxy, and a private certificate authority."""

import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PrivateAttr, SecretStr

from bg_pipeline.redaction import keep_secret, secrets_in
from bg_pipeline.settings.part import LOOPBACK, Location, Part


@dataclass(frozen=True, slots=True)
class Egress:
    """The way to hosts. The environment's own variables for proxies and certificates count for nothing."""

    proxy: str = field(default="", repr=False)
    """URL of the proxy for https; empty for none. What is sent is encrypted from here to the host."""
    direct: tuple[str, ...] = ()
    """Hosts that are reached without the proxy; a name stands for the names below it too."""
    ca_bundle: str = ""
    """File with further certificate authorities that are trusted; empty for none."""

    def proxies(self, url: str) -> Mapping[str, str]:
        """Return the proxy for a URL by its scheme, as `requests` takes it; empty if it is reached directly."""
        host = (urlsplit(url).hostname or "").lower()
        if not self.proxy or host in LOOPBACK or any(host == name or host.endswith(f".{name}") for name in self.direct):
            return {}
        return {"https": self.proxy}  # a key, or a picture, would pass through it in clear text over http


DIRECT = Egress()


@dataclass(frozen=True, slots=True)
class Access:
    """What an account needs to reach its vendor."""

    key: str = field(repr=False)
    """The API key; never shown."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Further headers of each request, such as a gateway's."""
    egress: Egress = DIRECT


def _a_proxy(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    keep_secret(*secrets_in(url))
    try:
        parts = urlsplit(url)
        is_whole = not url or (
            parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0 and not parts.path.strip("/")
        )
    except ValueError:
        is_whole = False
    if not is_whole:
        raise ValueError("must be a URL of scheme, host and port, such as http://proxy.example:3128")
    return SecretStr(url.rstrip("/"))


def _certificates(path: str) -> str:
    if path:
        try:
            ssl.create_default_context(cafile=path)
        except (OSError, ssl.SSLError) as error:
            raise ValueError("must be a file of certificates in PEM, which can be read") from error
    return path


def _hosts(value: str) -> str:
    for host in split_hosts(value):
        if "/" in host or (":" in host and not _is_address(host)):
            raise ValueError("must be names of hosts separated by commas, without scheme and port")
    return value


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def split_hosts(value: str) -> tuple[str, ...]:
    """Return the names in a list of hosts, in lower case, without a leading point."""
    return tuple(name.lower().lstrip(".") for name in value.replace(",", " ").split())


class EgressSettings(Part):
    """Settings of all connections to vendors, to their results and to hosts of pictures."""

    http_proxy: Annotated[SecretStr, AfterValidator(_a_proxy)] = Field(
        SecretStr(""),
        description="egress proxy for requests over https to vendors, to their results and to hosts of pictures:"
        " `http://proxy.example:3128`, with user and password if it needs them. It passes on what is encrypted, and"
        " sees no key. `HTTP_PROXY` and `HTTPS_PROXY` do not count here",
    )
    no_proxy: Annotated[str, AfterValidator(_hosts)] = Field(
        "", description="hosts that are reached without the proxy, separated by commas: `shop.lan,10.0.0.8`"
    )
    ca_bundle: Annotated[Location, AfterValidator(_certificates)] = Field(
        "", description="file with further certificate authorities to trust, in PEM: a private one, or a proxy's"
    )

    @property
    def egress(self) -> Egress:
        return Egress(self.http_proxy.get_secret_value(), split_hosts(self.no_proxy), self.ca_bundle)


class Connected(Part):
    """Settings of something that uses the network."""

    _egress: Egress = PrivateAttr(Egress())

    @property
    def egress(self) -> Egress:
        """How its hosts are reached."""
        return self._egress

    def connected(self, egress: Egress) -> Self:
        """Return these settings with another way to the network."""
        copied = self.model_copy()
        copied._egress = egress  # noqa: SLF001  of the same class
        return copied
