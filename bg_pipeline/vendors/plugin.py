"""What a vendor's folder, or another package, brings: see `registry`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import Field, SecretStr

from bg_pipeline.core.recipe import Cut
from bg_pipeline.core.vendor import Vendor
from bg_pipeline.ports.purchasing import Remover
from bg_pipeline.ports.running import Call
from bg_pipeline.settings.part import ApiKey, Form, Part, form


class VendorSettings(Part):
    """Settings of one account. A vendor's own class adds its fields, and sets `prefix` to the vendor's name."""

    params: Form = Field(
        "", description="further parameters of the first account, as in a URL: `type=product&add_shadow=true`"
    )

    @classmethod
    def short_names(cls) -> dict[str, str]:
        return {**super().short_names(), "params": "bg_params"}

    @property
    def form(self) -> dict[str, str]:
        """Parameters that are passed through to the vendor."""
        return form(self.params)


class KeyedSettings(VendorSettings):
    """Settings of an account that needs a key."""

    api_key: ApiKey | None = None

    @property
    def key(self) -> str:
        """The key in clear. Only for an account whose key is known to be set."""
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
    What is bought with these settings, of pictures whose longest side is so many px.

    Raises ValueError where they do not fit together; its message names fields in braces.
    """
    client: Callable[[S, Call], Remover]
    """Makes what sends one request a call. Decoders are to be run by the `Call`."""
