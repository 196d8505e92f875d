"""Words that were given up for the field's own do not come back, and what an operator sees is explained."""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import bg_pipeline
from bg_pipeline.core.alerts import Kind, explanation
from bg_pipeline.core.report import Exit

PACKAGE = Path(bg_pipeline.__file__).parent
ROOT = PACKAGE.parent
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "ARCHITECTURE.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
]

GIVEN_UP = re.compile(
    r"\b(so-manieth|anew|for ever|at the most|nobody|whoever|somebody"
    r"|concerns?|notices?|episodes?|probation|held_open|verdicts?|lanes?|waves?|landmarks?|evidence|lifeless"
    r"|work ids?|work_ids?|carriers?|likeness|upkeep)\b",
    re.IGNORECASE,
)

NO_NOUNS = {"found", "looked", "begun", "anew", "some"}
"""Names that do not say what they name."""

TITLES = {
    Kind.CREDITS: "credits are low",
    Kind.BAD_KEY: "refuses the key",
    Kind.OUTAGE: "is unavailable",
    Kind.PAUSED: "is paused",
    Kind.GUARD: "a guard stopped",
    Kind.SPEND_CAP: "a spend cap stopped the buying",
    Kind.FAILURE_RATE: "items failed in two days",
    Kind.UNREADABLE: "cannot be read",
    Kind.HOST_DOWN: "the picture host ",
    Kind.NO_NIGHT: "is not complete",
    Kind.NOT_PROCESSED: "work is pending but nothing is processing it",
    Kind.DRIFT: "balance and ledger differ",
    Kind.RUN_FAILED: "run failed: ",
    Kind.SETTINGS: "a setting is wrong",
    Kind.EXPORT: "the table beside the cutouts is not up to date",
}
"""Of each kind of alert, words of its title."""


def texts(source: Path) -> Iterator[tuple[int, str]]:
    """Names, strings, docstrings and comments of a module; each with its line."""
    tokens = tokenize.generate_tokens(io.StringIO(source.read_text()).readline)
    for token in tokens:
        if token.type in {tokenize.NAME, tokenize.STRING, tokenize.COMMENT}:
            yield token.start[0], token.string


def modules() -> list[Path]:
    """Migrations name the tables and columns of their time."""
    return [path for path in sorted(PACKAGE.rglob("*.py")) if "migrations" not in path.parts]


def test_no_module_speaks_in_words_that_were_given_up() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {word[0]}"
        for path in modules()
        for line, text in texts(path)
        for word in GIVEN_UP.finditer(text)
    ]

    assert found == []


def test_no_name_hides_what_it_names() -> None:
    hidden = [
        f"{path.relative_to(ROOT)}:{token.start[0]}: {token.string}"
        for path in modules()
        for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
        if token.type == tokenize.NAME and token.string in NO_NOUNS
    ]

    assert hidden == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_document_speaks_in_words_that_were_given_up(document: Path) -> None:
    lines = enumerate(document.read_text().splitlines(), start=1)

    assert [f"{number}: {word[0]}" for number, line in lines for word in GIVEN_UP.finditer(line)] == []


def test_the_glossary_has_at_most_25_words_each_once() -> None:
    section = (ROOT / "ARCHITECTURE.md").read_text().partition("## Words")[2].partition("\n## ")[0]
    words = re.findall(r"^\| ([^|]+?) \|", section, re.MULTILINE)[1:]

    assert len(words) == len(set(words)) <= 25


def test_every_kind_of_alert_and_every_exit_code_is_explained() -> None:
    operating = (ROOT / "docs" / "operating.md").read_text()
    alerts = operating.partition("## Alerts")[2]

    assert set(TITLES) == set(Kind)
    assert [title for title in TITLES.values() if title not in alerts] == []
    assert [code for code in Exit if f"\n| {code.value} | " not in operating] == []


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_alert_has_an_entry_where_its_notifications_link_to(kind: Kind) -> None:
    page, _, anchor = explanation(kind).partition("#")
    parts = re.split(r"^#+ (.+)$", (ROOT / page).read_text(), flags=re.MULTILINE)[1:]
    entries = {_anchor(heading): text for heading, text in zip(parts[::2], parts[1::2], strict=True)}

    assert TITLES[kind] in entries[anchor]
    assert all(
        re.search(rf"^- {each}: [\w`]", entries[anchor], re.MULTILINE) for each in ("It means", "Meanwhile", "Do")
    )


def _anchor(heading: str) -> str:
    """Name of a heading as GitHub and most generators of pages make it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("code", Exit)
def test_every_exit_code_has_a_row_that_says_what_it_means_and_what_to_do(code: Exit) -> None:
    operating = (ROOT / "docs" / "operating.md").read_text()
    (row,) = re.findall(rf"^\| {code.value} \| (.+) \| (.+) \|$", operating, re.MULTILINE)

    assert all(cell.strip() for cell in row)


def test_the_titles_of_alerts_are_those_that_are_sent() -> None:
    sent = "".join((PACKAGE / "pipeline" / "alerting" / name).read_text() for name in ("find.py", "runs.py"))

    assert [title for title in TITLES.values() if title not in sent] == []
