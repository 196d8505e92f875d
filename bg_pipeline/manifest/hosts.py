"""The settings on which the hosts of a catalogue agree."""

from sqlalchemy import delete, insert, select

from bg_pipeline.core.agreement import SettingsInUse
from bg_pipeline.manifest.rows import OfCatalogue
from bg_pipeline.manifest.schema import settings_in_use


class SqlHosts(OfCatalogue):
    """`ports.catalogue.Hosts` in a database."""

    def settings(self) -> SettingsInUse | None:
        with self._db.read() as conn:
            row = conn.execute(select(settings_in_use).where(self._mine(settings_in_use))).one_or_none()
        return None if row is None else SettingsInUse(row.host, row.digests)

    def set(self, settings: SettingsInUse) -> None:
        with self._db.write() as conn:
            conn.execute(delete(settings_in_use).where(self._mine(settings_in_use)))
            values = {"host": settings.host, "digests": dict(settings.digests)}
            conn.execute(insert(settings_in_use).values(catalogue_id=self._catalogue, **values))
