"""Interface of a vendor, implemented by its folder or by another package: see `registry`."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Annotated, ClassVar, Generic, Self, TypeVar

from pydantic import AfterValidator, Field, SecretStr, model_validator

from bg_pipeline.core.recipe import Cut
from bg_pipeline.core.vendor import Vendor
from bg_pipeline.net.settings import Access, Connected
from bg_pipeline.ports.purchasing import Remover
from bg_pipeline.ports.running import Call
from bg_pipeline.redaction import keep_secret
from bg_pipeline.settings.part import ApiKey, Form, form


class VendorSettings(Connected):
    """Settings of one account. A vendor's own class adds its fields, and sets `prefix` to the vendor's name."""

    required: ClassVar[Collection[str]] = ()
    """Fields that must be set before anything can be bought."""

    params: Form = Field(
        "", description="further parameters of the first account, as in a URL: `type=product&shadow_type=drop`"
    )
    params_unchecked: Form = Field(
        "",
        description="the same without a check, for parameters that the vendor has added since; the answer must keep the"
        " frame of the picture",
    )

    of_first_account: ClassVar[Collection[str]] = ("params", "params_unchecked")
    """Fields whose variable belongs to the first account."""

    @classmethod
    def short_names(cls) -> dict[str, str]:
        return {**super().short_names(), **{name: f"bg_{name}" for name in cls.of_first_account}}

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        if twice := form(self.params).keys() & form(self.params_unchecked).keys():
            raise ValueError(f"{{params}} and {{params_unchecked}} both have {min(twice)}")
        return self

    @property
    def form(self) -> dict[str, str]:
        """Parameters that are passed to the vendor unchanged."""
        return {**form(self.params), **form(self.params_unchecked)}


_OWN_HEADERS = frozenset(
    {
        *("x-api-key", "authorization", "proxy-authorization", "cookie", "host", "accept", "accept-encoding"),
        *("content-type", "content-length", "transfer-encoding", "connection", "expect", "upgrade"),
    }
)
"""Headers that a client sets, or that would change how a request is read."""


_SECRET_NAME = re.compile(r"key|token|secret|auth|pass|signature", re.IGNORECASE)


def _headers(value: SecretStr) -> SecretStr:
    for name, text in form(value.get_secret_value()).items():
        if _SECRET_NAME.search(name):  # another value may be a word that messages need
            keep_secret(text)
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or not re.fullmatch(r"[!-~]([ -~]*[!-~])?", text):
            raise ValueError("must be names and values of headers in plain characters, as in a URL: X-Team=shop")
        if name.lower() in _OWN_HEADERS:
            raise ValueError(f"{name} cannot be set: the client does")
        if name.lower().startswith("pr-"):
            raise ValueError(f"{name} alters the result: write it into {{params}}")
    return value


class KeyedSettings(VendorSettings):
    """Settings of an account that needs a key."""

    required: ClassVar[Collection[str]] = ("api_key",)

    api_key: ApiKey | None = None
    headers: Annotated[SecretStr, AfterValidator(_headers)] = Field(
        SecretStr(""),
        description="further headers of each request, such as a gateway's, as in a URL: `X-Team=shop&X-Cost-Center=7`",
    )

    @property
    def key(self) -> str:
        """The key in clear text. Only for an account whose key is set."""
        assert isinstance(self.api_key, SecretStr)
        return self.api_key.get_secret_value()

    @property
    def access(self) -> Access:
        """Key, headers and egress, for a client."""
        return Access(self.key, form(self.headers.get_secret_value()), self.egress)


S = TypeVar("S", bound=VendorSettings)


@dataclass(frozen=True, slots=True)
class Plugin(Generic[S]):
    """One vendor, or one engine on this machine."""

    vendor: Vendor
    settings: type[S]
    cut: Callable[[S, int], Cut]
    """
    Returns the cut that is bought with these settings, for pictures with this longest side in px.

    Raises ValueError where they do not fit together; its message names fields in braces.
    """
    client: Callable[[S, Call], Remover]
    """Makes the client, which sends one request per call. Decoders must be run by the `Call`."""
    about: Callable[[S], str] = lambda _settings: "installed"
    """Tells a person what `client` would work with, without working."""
    described: Callable[[S], Vendor] | None = None
    """Returns the description that holds with these settings, where they alter it, such as a price."""

    def vendor_of(self, settings: S) -> Vendor:
        """Return the description that holds with these settings."""
        return self.vendor if self.described is None else self.described(settings)
