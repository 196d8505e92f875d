"""A run that waits says for what, in its tags and on its page, for as long as it waits."""

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from bg_pipeline.core.dispatch import why_it_waits
from bg_pipeline.orchestration.definitions import defs
from bg_pipeline.orchestration.waiting import WAITS_FOR, show_waiting_runs, tag_waiting

CLOSED = "bgeraser: 3 credits are left: top up"
QUEUED = dg.DagsterRunStatus.QUEUED


@pytest.mark.parametrize(
    ("closed", "limit", "holders", "why"),
    [
        (CLOSED, 0, [], f"an open gate: {CLOSED}"),
        (CLOSED, 3, ["run a"], f"an open gate: {CLOSED}"),
        ("", None, ["run a"], ""),
        ("", 2, ["run a"], ""),
        ("", 1, ["run a"], "a slot of the pool cutouts: run a holds all 1"),
        ("", 2, ["run a", "run b"], "a slot of the pool cutouts: run a, run b hold all 2"),
        (
            "",
            0,
            [],
            "a higher limit of the pool cutouts: a person set it to 0, in the UI under Deployment > Concurrency",
        ),
    ],
)
def test_a_run_waits_for_the_gate_or_for_a_slot_or_for_a_person(
    closed: str, limit: int | None, holders: list[str], why: str
) -> None:
    assert why_it_waits(closed, "cutouts", limit, holders) == why


def queue(instance: dg.DagsterInstance, job: str = "process_pending") -> str:
    """Returns the id of a run that the daemon has not started."""
    location = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("bg_pipeline"), "__repository__")
    origin = RemoteJobOrigin(location, job)
    return instance.create_run_for_job(defs.resolve_job_def(job), status=QUEUED, remote_job_origin=origin).run_id


def said(instance: dg.DagsterInstance, run_id: str) -> str | None:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.tags.get(WAITS_FOR)


def lines(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """What the page of the run says of its waiting."""
    return [entry.message for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)]


def test_a_queued_run_says_that_it_waits_for_the_gate_until_the_gate_is_open(instance: dg.DagsterInstance) -> None:
    run_id = queue(instance)
    for _ in range(3):
        show_waiting_runs(instance, "cutouts", CLOSED, 0.0)
    assert said(instance, run_id) == f"an open gate: {CLOSED}"
    assert lines(instance, run_id) == [f"waits for an open gate: {CLOSED}"]

    for _ in range(3):
        show_waiting_runs(instance, "cutouts", "", 0.0)
    assert said(instance, run_id) == "nothing, since 1970-01-01 00:00 UTC"
    assert lines(instance, run_id)[1:] == ["no longer waits"]


def test_a_queued_run_says_that_all_slots_are_taken_and_by_which_run(instance: dg.DagsterInstance) -> None:
    instance.event_log_storage.set_concurrency_slots("cutouts", 1)
    instance.event_log_storage.claim_concurrency_slot("cutouts", "0123456789", "nightly_cutouts")
    run_id = queue(instance)
    show_waiting_runs(instance, "cutouts", "", 0.0)

    assert said(instance, run_id) == "a slot of the pool cutouts: run 01234567 holds all 1"


def test_a_started_run_whose_step_waits_for_a_slot_says_so_too(instance: dg.DagsterInstance) -> None:
    instance.event_log_storage.set_concurrency_slots("cutouts", 1)
    instance.event_log_storage.claim_concurrency_slot("cutouts", "0123456789", "nightly_cutouts")
    run = instance.create_run_for_job(defs.resolve_job_def("process_delta"), status=dg.DagsterRunStatus.STARTED)
    instance.event_log_storage.claim_concurrency_slot("cutouts", run.run_id, "cutouts")
    show_waiting_runs(instance, "cutouts", "", 0.0)

    assert said(instance, run.run_id) == "a slot of the pool cutouts: run 01234567 holds all 1"


def test_a_queued_run_that_needs_no_slot_waits_for_none(instance: dg.DagsterInstance) -> None:
    run_id = queue(instance, "detect_delta")
    show_waiting_runs(instance, "cutouts", CLOSED, 0.0)

    assert said(instance, run_id) is None


def test_a_waiting_run_that_was_cancelled_no_longer_says_that_it_waits(instance: dg.DagsterInstance) -> None:
    run_id = queue(instance)
    show_waiting_runs(instance, "cutouts", CLOSED, 0.0)
    run = instance.get_run_by_id(run_id)
    assert run is not None
    instance.report_run_canceled(run)
    show_waiting_runs(instance, "cutouts", CLOSED, 0.0)

    assert str(said(instance, run_id)).startswith("nothing, since ")


def test_what_a_run_says_by_itself_after_its_start_stays(instance: dg.DagsterInstance) -> None:
    run_id = queue(instance)
    show_waiting_runs(instance, "cutouts", CLOSED, 0.0)
    tag_waiting(instance, run_id, "an open gate: it closed again")
    instance.report_dagster_event(
        dg.DagsterEvent(event_type_value="PIPELINE_START", job_name="process_pending"), run_id
    )
    show_waiting_runs(instance, "cutouts", "", 0.0)

    assert said(instance, run_id) == "an open gate: it closed again"


def test_a_run_that_is_deleted_while_it_waits_is_forgotten(instance: dg.DagsterInstance) -> None:
    run_id = queue(instance)
    show_waiting_runs(instance, "cutouts", CLOSED, 0.0)
    instance.delete_run(run_id)
    show_waiting_runs(instance, "cutouts", CLOSED, 0.0)

    assert instance.get_runs_count() == 0
