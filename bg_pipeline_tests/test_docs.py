"""What the documents say, held against the program: prose about code rots."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

import bg_pipeline
from bg_pipeline import errors
from bg_pipeline.cli.main import main
from bg_pipeline.config import Settings
from bg_pipeline.core.report import Exit

ROOT = Path(bg_pipeline.__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
DOCUMENTS = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_in_the_readme_as_it_is(name: str) -> None:
    field = Settings.model_fields[name]
    default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    shown = "–" if default in {None, ""} else f"`{default}`"

    assert f"| `{name.upper()}` | {shown} | {field.description} |" in README


def test_the_readme_names_no_setting_that_is_not_there() -> None:
    named = set(
        re.findall(r"`((?:BG|BGERASER|REMOVEBG|PHOTOROOM)_[A-Z_]+)`", README + (ROOT / ".env.example").read_text())
    )

    assert named <= {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_has_help_and_all_its_options_are_in_the_readme(name: str) -> None:
    told = CliRunner().invoke(main, [name, "--help"])
    assert told.exit_code == 0
    (line,) = re.findall(rf"^\| `bg-pipeline {name}\b(.*?)` \|", README, re.MULTILINE)
    options = set(re.findall(r"--[a-z-]+", told.output)) - {"--help", "--json"}

    assert options == set(re.findall(r"--[a-z-]+", line))
    assert ("--json" in told.output) == (name not in {"demo", "sandbox"})


def test_the_list_of_commands_cuts_no_sentence_off() -> None:
    assert "..." not in CliRunner().invoke(main, ["--help"]).output.partition("Commands:")[2]


def test_every_exit_code_is_in_the_readme() -> None:
    codes = re.findall(r"^\| (\d) \| ", README, re.MULTILINE)

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
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_file_that_is_named_is_there(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for name in re.findall(r"`([\w/]+\.(?:py|md|toml))`", text):
        assert any((place / name).exists() for place in (ROOT, ROOT / "bg_pipeline", ROOT / "bg_pipeline_tests")), name


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
