"""Fakes of every port, typed by the protocols and held to the same contract suites as the real parts."""

from bg_pipeline_tests.fakes.alerts import FakeSink, MemoryOutbox
from bg_pipeline_tests.fakes.catalogue import (
    MemoryDeltas,
    MemoryFailures,
    MemoryItems,
    MemoryObservations,
    MemoryTrash,
)
from bg_pipeline_tests.fakes.clock import FakeClock
from bg_pipeline_tests.fakes.database import MemoryDatabase
from bg_pipeline_tests.fakes.previous import MemoryPreviousOutputs, MemoryReversions
from bg_pipeline_tests.fakes.purchasing import MemoryGates, MemoryLedger, MemoryPurchases
from bg_pipeline_tests.fakes.queue import MemoryWorkQueue
from bg_pipeline_tests.fakes.remover import FakeRemover
from bg_pipeline_tests.fakes.retention import MemoryErasures, MemoryRetention
from bg_pipeline_tests.fakes.review import MemoryReviews
from bg_pipeline_tests.fakes.running import MemoryLeases, MemoryRunLog, MemoryStops
from bg_pipeline_tests.fakes.stores import MemorySource, MemoryStore

__all__ = [
    "FakeClock",
    "FakeRemover",
    "FakeSink",
    "MemoryDatabase",
    "MemoryDeltas",
    "MemoryErasures",
    "MemoryFailures",
    "MemoryGates",
    "MemoryItems",
    "MemoryLeases",
    "MemoryLedger",
    "MemoryObservations",
    "MemoryOutbox",
    "MemoryPreviousOutputs",
    "MemoryPurchases",
    "MemoryRetention",
    "MemoryReversions",
    "MemoryReviews",
    "MemoryRunLog",
    "MemoryStops",
    "MemorySource",
    "MemoryStore",
    "MemoryTrash",
    "MemoryWorkQueue",
]
