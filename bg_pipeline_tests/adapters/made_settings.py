"""Settings as variables of the environment make them."""

from bg_pipeline.settings.reader import RawSettings
from bg_pipeline.wiring.accounts import Account
from bg_pipeline.wiring.settings import Settings, compose

REMOVEBG = {"BG_PROVIDER": "removebg", "REMOVEBG_API_KEY": "k"}
BGERASER = {"BG_PROVIDER": "bgeraser", "BGERASER_API_KEY": "k"}
PHOTOROOM = {"BG_PROVIDER": "photoroom", "PHOTOROOM_API_KEY": "k"}


def settings_of(**names: str) -> Settings:
    return compose(RawSettings({name.lower(): value for name, value in names.items()}))


def offer_of(vendor: str, **names: str) -> Account:
    """An account there, whether or not it is bought from."""
    return next(offer for offer in settings_of(**names).offers() if offer.name == vendor)
