"""What is taken from Dagster beside its public names is in one file, and looked at with each of its versions."""

import re
from importlib import import_module
from pathlib import Path

import dagster as dg

from bg_pipeline.orchestration import dagster_private

HERE = Path(dagster_private.__file__).parent
PRIVATE = re.compile(r"\bdagster(?:_\w+)?\._\w+(?:\.\w+)*")


def listed() -> set[str]:
    """Dotted names of the list in `dagster_private.py`."""
    return set(PRIVATE.findall(dagster_private.__doc__ or ""))


def test_only_one_module_names_what_dagster_does_not_export() -> None:
    package = HERE.parent
    naming = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*")
        if path.suffix in {".py", ".yaml", ".toml", ".ini", ".mako"}
        and PRIVATE.search(path.read_text(encoding="utf-8"))
    }

    assert naming == {"orchestration/dagster_private.py", "orchestration/dagster.yaml"}


def test_each_private_name_is_listed_and_there() -> None:
    code = (HERE / "dagster_private.py").read_text(encoding="utf-8")
    imported = {
        f"{module}.{name}"
        for module, names in re.findall(r"^from (dagster\._[\w.]+) import (.+)$", code, re.MULTILINE)
        for name in names.split(", ")
    }
    shipped = (HERE / "dagster.yaml").read_text(encoding="utf-8")
    imported |= {f"{module}.{name}" for module, name in re.findall(r"module: (\S+\._\S+)\n\s*class: (\S+)", shipped)}
    from dagster._daemon.auto_run_reexecution.event_log_consumer import DAGSTER_EVENT_TYPES, _create_cursor_key

    assert [_create_cursor_key(kind) for kind in DAGSTER_EVENT_TYPES] == dagster_private.LOST_RUN_CURSORS
    imported.add(f"{_create_cursor_key.__module__}.{_create_cursor_key.__name__}")

    assert imported == listed()
    for name in listed():
        module, _, attribute = name.rpartition(".")
        assert hasattr(import_module(module), attribute), name


def test_another_version_of_dagster_has_each_private_name_looked_at() -> None:
    assert dg.__version__ == "1.13.27", "look at each name in dagster_private.py, then write the version here"
    public = [name for name in listed() if hasattr(dg, name.rpartition(".")[2])]
    assert public == [], "can be imported from dagster itself"
