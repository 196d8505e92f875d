"""Interface of a vendor, implemented by its folder or by another package: see `registry`."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import ClassVar, Generic, Self, TypeVar

from pydantic import Field, SecretStr, model_validator

from bg_pipeline.core.recipe import Cut
from bg_pipeline.core.vendor import Vendor
from bg_pipeline.ports.purchasing import Remover
from bg_pipeline.ports.running import Call
from bg_pipeline.settings.part import ApiKey, Form, Part, form


class VendorSettings(Part):
    """Settings of one account. A vendor's own class adds its fields, and sets `prefix` to the vendor's name."""

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


class KeyedSettings(VendorSettings):
    """Settings of an account that needs a key."""

    api_key: ApiKey | None = None

    @property
    def key(self) -> str:
        """The key in clear text. Only for an account whose key is set."""
        assert isinstance(self.api_key, SecretStr)
        return self.api_key.get_secret_value()


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
