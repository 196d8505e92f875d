"""The names of leases."""

from bg_pipeline.core.claims import lease_of_step, run_of_lease


def test_each_step_of_a_run_has_a_lease_of_its_own() -> None:
    names = {lease_of_step(run, step) for run in ("1a2b", "1a2c") for step in ("work_1", "work_2")}

    assert len(names) == 4
    assert sorted(map(run_of_lease, names)) == ["1a2b", "1a2b", "1a2c", "1a2c"]


def test_other_leases_belong_to_no_run() -> None:
    assert [run_of_lease(name) for name in ("detection", "night", "")] == ["", "", ""]
