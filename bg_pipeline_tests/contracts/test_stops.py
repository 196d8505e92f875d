"""One suite for requests to end runs: in memory, in SQLite, in PostgreSQL."""

from bg_pipeline_tests.contracts.manifest import Manifest


def test_a_run_that_is_asked_to_end_knows_by_whom_and_others_are_not_asked(manifest: Manifest) -> None:
    manifest.stops.ask("run 1", "anna@shop")

    assert manifest.stops.asked_by("run 1") == "anna@shop"
    assert manifest.stops.asked_by("run 2") == ""


def test_who_asked_first_stays_on_record(manifest: Manifest) -> None:
    manifest.stops.ask("run 1", "anna@shop")
    manifest.stops.ask("run 1", "ben@shop")

    assert manifest.stops.asked_by("run 1") == "anna@shop"
