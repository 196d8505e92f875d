"""Leases and the run log."""

import json
from dataclasses import replace
from functools import reduce

from bg_pipeline.core.claims import LEASE_S, is_live
from bg_pipeline.core.records import Lease
from bg_pipeline.core.runlog import ProcessRecord, R, Record, from_json, to_json
from bg_pipeline.errors import LeaseHeld
from bg_pipeline_tests.fakes.database import Port


class MemoryStops:
    """`ports.running.Stops` in a dictionary."""

    def __init__(self) -> None:
        self._asked: dict[str, str] = {}

    def ask(self, run: str, by: str) -> None:
        self._asked.setdefault(run, by)

    def asked_by(self, run: str) -> str:
        return self._asked.get(run, "")


class MemoryLeases(Port):
    """`ports.catalogue.Leases` in dictionaries."""

    def acquire(self, name: str, owner: str) -> Lease:
        held, ends_at = self._db.leases.get(name, (Lease(name, "", 0), 0.0))
        if is_live(ends_at, self._db.now()):
            raise LeaseHeld(f"{name!r} is held by {held.owner}")
        lease = Lease(name, owner, held.token + 1)
        self._db.leases[name] = (lease, self._db.now() + LEASE_S)
        return lease

    def heartbeat(self, lease: Lease) -> None:
        self._db.check_lease(lease)
        self._db.leases[lease.name] = (lease, self._db.now() + LEASE_S)

    def release(self, lease: Lease) -> None:
        self._db.check_lease(lease)
        self._db.leases[lease.name] = (lease, 0.0)

    def leases(self) -> list[tuple[Lease, float]]:
        held = sorted(self._db.leases.values(), key=lambda h: h[0].name)
        return [(lease, ends_at) for lease, ends_at in held if is_live(ends_at, self._db.now())]


class MemoryRunLog(Port):
    """`ports.catalogue.RunLog` in a list of JSON texts."""

    def write(self, record: Record) -> None:
        ended = replace(record, ended_at=self._db.now())
        self._db.records.append((record.kind, ended.ended_at, json.dumps(to_json(ended))))

    def add(self, share: ProcessRecord) -> None:
        theirs = [each for each in self.read(ProcessRecord, limit=len(self._db.records)) if each.run_id == share.run_id]
        gone = {json.dumps(to_json(each)) for each in theirs}
        self._db.records = [each for each in self._db.records if each[2] not in gone]
        self.write(reduce(ProcessRecord.with_share, [*theirs[::-1], share]))

    def read(self, kind: type[R], since: float = 0.0, limit: int = 1) -> list[R]:
        newest = [facts for name, ended, facts in self._db.records if name == kind.kind and ended >= since][::-1]
        return [from_json(kind, json.loads(facts)) for facts in newest[:limit]]
