"""The settings in use, in SQLite and in PostgreSQL."""

from bg_pipeline.core.agreement import SettingsInUse
from bg_pipeline.manifest.catalogues import catalogue_id
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.hosts import SqlHosts


def test_the_settings_that_were_set_last_are_those_in_use_of_their_catalogue_alone(database: Database) -> None:
    hosts = SqlHosts(database, catalogue_id(database))
    assert hosts.settings() is None
    for host in ("one", "two"):
        hosts.set(SettingsInUse(host, {"BG_FORMAT": host}))

    assert hosts.settings() == SettingsInUse("two", {"BG_FORMAT": "two"})
    assert SqlHosts(database, catalogue_id(database, "another")).settings() is None
