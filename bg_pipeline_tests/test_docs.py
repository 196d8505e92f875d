"""What the documents say, held against the program: prose about code rots."""

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import bg_pipeline
from bg_pipeline import errors
from bg_pipeline.cli.main import main
from bg_pipeline.core.presets import PRESETS
from bg_pipeline.core.report import Exit
from bg_pipeline.wiring import docs

ROOT = Path(bg_pipeline.__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
OPERATING = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
DOCUMENTS = [
    *("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"),
    *(
        "docs/benchmarks.md",
        "docs/capacity.md",
        "deploy/README.md",
        "docs/catalogues.md",
        "docs/changes.md",
        "docs/checks.md",
        "docs/choosing.md",
        "docs/decisions.md",
        "docs/export.md",
        "docs/operating.md",
        "docs/renditions.md",
        "docs/review.md",
        "docs/safeguards.md",
        "docs/settings.md",
        "docs/sources.md",
        "docs/vendors.md",
    ),
]


@pytest.mark.parametrize("name", ["settings", "vendors"])
def test_what_is_made_of_the_program_was_made_of_it_as_it_is(name: str) -> None:
    made = {"settings": docs.settings, "vendors": docs.vendors}[name]()

    assert made == (ROOT / f"docs/{name}.md").read_text(encoding="utf-8"), f"python -m bg_pipeline.wiring.docs {name}"


@pytest.mark.parametrize("document", [*DOCUMENTS, ".env.example"])
def test_no_document_names_a_setting_that_is_not_there(document: str) -> None:
    known = set(re.findall(r"^\| `([A-Z0-9_]+)`", docs.settings(), re.MULTILINE))
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"\b(?:BG|BGERASER|REMOVEBG|PHOTOROOM)_[A-Z0-9_]*[A-Z0-9]\b", text))

    assert len(known) > 40
    assert named - known == set()


@pytest.mark.parametrize("name", main.list_commands(click.Context(main)))
def test_every_command_has_help_and_all_its_options_are_documented(name: str) -> None:
    told = CliRunner().invoke(main, [name, "--help"])
    assert told.exit_code == 0
    (line,) = re.findall(rf"^\| `bg-pipeline {name}\b(.*?)` \|", OPERATING, re.MULTILINE)
    options = set(re.findall(r"--[a-z-]+", told.output)) - {"--help", "--json", "--catalogue"}

    assert options == set(re.findall(r"--[a-z-]+", line))
    assert ("--json" in told.output) == (name not in {"demo", "metrics", "sandbox"})
    assert ("--catalogue" in told.output) == (name not in {"demo", "sandbox", "alert-test"})


def test_the_list_of_commands_says_of_each_what_it_says_of_itself() -> None:
    context = click.Context(main)
    listed = CliRunner().invoke(main, ["--help"]).output.partition("Commands:")[2]
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        first = (command.help or "").partition("\n")[0].partition(". ")[0].rstrip(".")
        assert re.search(rf"^  {name} +{re.escape(first)}\.$", listed, re.MULTILINE), name


def test_the_list_of_commands_loads_none_of_them() -> None:
    code = (
        "import sys; from bg_pipeline.cli.main import main; "
        "main(['--help'], standalone_mode=False); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert {"sqlalchemy", "requests", "boto3", "pydantic", "PIL"}.isdisjoint(loaded)


def test_every_exit_code_is_documented() -> None:
    codes = re.findall(r"^\| (\d) \| ", OPERATING, re.MULTILINE)

    assert [int(code) for code in codes] == [code.value for code in Exit]


def test_the_commands_of_the_readme_are_targets_of_the_makefile() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"^make (\w+)", (ROOT / document).read_text(encoding="utf-8"), re.MULTILINE):
            assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), (document, target)


def test_ci_calls_the_test_command_of_the_readme() -> None:
    assert "make test" in (ROOT / ".ci/run").read_text()


def test_every_test_that_the_readme_names_is_there() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "bg_pipeline_tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", README))

    assert len(named) > 10
    assert [name for name in named if f"def {name}(" not in tests] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_somewhere(document: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / document).read_text(encoding="utf-8")):
        assert (ROOT / document).parent.joinpath(target).exists(), target


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_file_that_is_named_is_there(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for name in re.findall(r"`([\w/]+\.(?:py|md|toml))`", text):
        assert any((folder / name).exists() for folder in (ROOT, ROOT / "bg_pipeline", ROOT / "bg_pipeline_tests")), (
            name
        )


def test_the_drawn_error_tree_is_the_real_one() -> None:
    drawn = re.findall(r"^([│ ├└─]*)(\w+)", errors.__doc__ or "", re.MULTILINE)
    tree = [(len(indent), name) for indent, name in drawn if hasattr(errors, name)]
    real = {
        name: kind.__mro__[1].__name__
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.BgPipelineError)
    }
    path: list[tuple[int, str]] = []
    for depth, name in tree:
        while path and path[-1][0] >= depth:
            path.pop()
        assert real.pop(name) == (path[-1][1] if path else "Exception")
        path.append((depth, name))

    assert real == {}


def test_the_document_of_renditions_has_every_preset_as_it_is() -> None:
    rows = (ROOT / "docs" / "renditions.md").read_text(encoding="utf-8").splitlines()
    for name, preset in PRESETS.items():
        (row,) = (row for row in rows if row.startswith(f"| `{name}` |"))
        assert row.endswith(f"| {preset.rules} | {preset.source} |")
        for field, value in preset.values.items():
            assert f"`{field} = {json.dumps(value)}`" in row
