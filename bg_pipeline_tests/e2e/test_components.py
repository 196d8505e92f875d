"""The components in a project that Dagster's own command made, with a real webserver and daemon, as docs/catalogues.md
shows them."""

import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.deployment import BIN, INSTANCE, PATH, ROOT, Deployment, answers, fast_python, free_port
from bg_pipeline_tests.pictures import cut_middle, product

pytestmark = pytest.mark.processes

PAGE = (ROOT / "docs" / "catalogues.md").read_text()

_SWITCHES = """
{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError {
    __typename ... on PythonError { message } ... on RepositoryLocation { repositories {
        schedules { name cronSchedule scheduleState { status } }
        sensors { name sensorState { status } } } } } } } } }
"""

_EVERYTHING = """
{ assetNodes { description metadataEntries { label description } jobNames
    configField { configType { key description } } }
  repositoriesOrError { ... on RepositoryConnection { nodes {
    allTopLevelResourceDetails { name description configuredValues { key value type } }
    sensors { name description metadata { assetKeys { path } } }
    schedules { name description } pipelines { name description tags { key value } runTags { key value } } } } }
  runsOrError { ... on Runs { results { runConfigYaml tags { key value }
    eventConnection { events { ... on MessageEvent { message } } } } } } }
"""


def snippet(heading: str, language: str, number: int = 0) -> str:
    """A block of code of the page."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)[number]


class Project:
    """
    A project of `create-dagster`.

    Args:
        folder: where it is made.
    """

    def __init__(self, folder: Path) -> None:
        self.env = {
            "PATH": PATH,
            "HOME": str(folder),
            "DAGSTER_HOME": str(folder / "home"),
            "PYTHONPATH": str(folder / "shops" / "src"),
        }
        (folder / "home").mkdir(parents=True)
        (folder / "home" / "dagster.yaml").write_text(INSTANCE.read_text())
        self.run("create-dagster", "project", "shops", "--no-uv-sync", cwd=folder)
        self.folder = folder / "shops"
        self.defs = self.folder / "src" / "shops" / "defs"

    def run(self, *words: str, cwd: Path | None = None, code: int = 0) -> str:
        done = subprocess.run(
            [BIN / words[0], *words[1:]],
            cwd=cwd or self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def write(self, path: str, text: str) -> Path:
        file = self.defs / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def change(self, path: str, **attributes: object) -> None:
        """Change attributes of a component."""
        file = self.defs / path / "defs.yaml"
        component = yaml.safe_load(file.read_text())
        component["attributes"] |= attributes
        file.write_text(yaml.safe_dump(component))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two catalogues and an account, scaffolded as on the page."""
    made = Project(tmp_path_factory.mktemp("project"))
    for line in snippet("Two catalogues as Dagster components", "sh").splitlines():
        made.run(*line.split())
    return made


def test_dg_lists_the_components_and_scaffolds_what_the_page_shows(project: Project) -> None:
    told = project.run("dg", "list", "components")
    assert "bg_pipeline.components.Catalogue" in told
    assert "bg_pipeline.components.Account" in told

    shown = snippet("Two catalogues as Dagster components", "yaml")
    assert (project.defs / "shops" / "brand_a" / "defs.yaml").read_text().strip() == shown.strip()
    account = yaml.safe_load((project.defs / "accounts" / "main" / "defs.yaml").read_text())
    assert account["attributes"] == {"name": "main", "vendor": "removebg", "key_env": "SHOP_KEY"}


def test_dg_checks_them_and_names_file_and_line_of_an_unknown_attribute(project: Project) -> None:
    assert "successfully" in project.run("dg", "check", "yaml")
    told = project.run("dg", "check", "defs")
    assert "All definitions loaded successfully." in told
    assert "SHOP_KEY is not set" in told

    wrong = project.write(
        "shops/brand_c/defs.yaml",
        textwrap.dedent(
            """\
            type: bg_pipeline.components.Catalogue
            attributes:
              name: brand_c
              account: main
              wher: here
            """
        ),
    )
    checks = ("yaml", str(wrong.parent)), ("defs",)
    told = [project.run("dg", "check", *words, code=1) for words in checks]
    wrong.unlink()
    for each in told:
        assert "brand_c/defs.yaml:5" in each
        assert "wher" in each


@pytest.fixture(scope="module")
def deployment(project: Project) -> Iterator[Deployment]:
    """The project under a webserver and a daemon, with a catalogue whose schedule is wrong, and assets of others."""
    folder = project.folder
    project.change("shops/brand_a", stable_s=0)
    project.change("shops/brand_b", stable_s=0, start=True)
    project.run("dg", "scaffold", "defs", "bg_pipeline.components.Catalogue", "shops/wrong", "--name", "wrong")
    project.change("shops/wrong", nightly_cron="every night", start=True)
    project.write("theirs.py", snippet("Your own assets downstream", "python"))
    for key, shade in {"brand_a/shoes/1": 1, "brand_a/bags/2": 2, "brand_b/hats/3": 1, "brand_b/hats/4": 4}.items():
        picture = folder / "images" / f"{key}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(product(shade))
    (folder / "workspace.yaml").write_text(
        "load_from:\n  - python_module: {module_name: shops.definitions, location_name: bg_pipeline}\n"
    )
    with running_sandbox(vendor := SandboxState(), cut_middle) as sandbox:
        project.change("accounts/main", vendor="bgeraser", options={"base_url": sandbox.base_url}, low_credits=50)
        fast = fast_python(folder)
        env = {**project.env, "PYTHONPATH": f"{folder / 'src'}:{fast}", "SHOP_KEY": "canary-key"}
        port = free_port()
        made = Deployment(folder, vendor, f"http://127.0.0.1:{port}", env)
        subprocess.run([sys.executable, "-m", "bg_pipeline.orchestration.home"], cwd=folder, env=env, check=True)
        made.start("webserver", "dagster-webserver", "-w", "workspace.yaml", "--host", "127.0.0.1", "-p", str(port))
        made.start_daemon()
        try:
            made.until("the webserver answers", lambda: answers(made.url))
            yield made
        finally:
            made.stop()


def switches(deployment: Deployment) -> dict[str, str]:
    (entry,) = deployment.ask(_SWITCHES)["workspaceOrError"]["locationEntries"]
    assert entry["locationOrLoadError"]["__typename"] == "RepositoryLocation", entry
    (repository,) = entry["locationOrLoadError"]["repositories"]
    found = {each["name"]: each["scheduleState"]["status"] for each in repository["schedules"]}
    return found | {each["name"]: each["sensorState"]["status"] for each in repository["sensors"]}


def ended(deployment: Deployment, job: str) -> bool:
    return "SUCCESS" in {run["status"] for run in deployment.runs() if run["jobName"] == job}


def test_both_nights_run_at_one_account_beside_a_wrong_catalogue_and_what_others_build_on_them(
    deployment: Deployment,
) -> None:
    on = switches(deployment)
    buying = {name: status for name, status in on.items() if name.endswith(("delta_dispatch", "nightly_delta_sync"))}
    assert {name for name, status in buying.items() if status == "RUNNING"} == {
        f"{catalogue}_{what}" for catalogue in ("brand_b", "wrong") for what in ("delta_dispatch", "nightly_delta_sync")
    }

    deployment.switch_on("default_automation_condition_sensor")
    deployment.switch_on("brand_a_delta_dispatch")
    for job in ("brand_a_detect_delta", "brand_b_detect_delta", "wrong_detect_delta"):
        deployment.launch(job)
    for catalogue in ("brand_a", "brand_b"):
        deployment.until(f"{catalogue} is cut", lambda job=f"{catalogue}_process_pending": ended(deployment, job))
    assert deployment.outputs() == [
        "brand_a/bags/2.png",
        "brand_a/shoes/1.png",
        "brand_b/hats/3.png",
        "brand_b/hats/4.png",
    ]
    # One picture is in both catalogues.
    assert deployment.charges() == 3

    deployment.until("the wrong one failed", lambda: "FAILURE" in {r["status"] for r in deployment.runs()})
    assert {run["jobName"] for run in deployment.runs() if run["status"] == "FAILURE"} == {"wrong_detect_delta"}

    def theirs() -> dict[str, int]:
        made = deployment.ask(_MADE)["assetNodes"]
        return {node["assetKey"]["path"][-1]: len(node["assetMaterializations"]) for node in made}

    deployment.until(
        "their assets are made",
        lambda: {"web_pages", "index", "newsletter"} <= {name for name, count in theirs().items() if count},
    )
    assert theirs()["newsletter"] == 1

    deployment.top_up(10)
    deployment.until(
        "the gate is closed", lambda: "10 credits are left" in deployment.last_tick("main_low_credit_sensor")
    )


_MADE = "{ assetNodes { assetKey { path } assetMaterializations(limit: 9) { runId } } }"


def _content(file: Path) -> bytes:
    with suppress(FileNotFoundError):  # SQLite removes one beside its database
        return file.read_bytes()
    return b""


def test_the_key_is_in_no_answer_and_in_no_file_of_dagster(deployment: Deployment) -> None:
    answer = str(deployment.ask(_EVERYTHING))
    assert "brand_a" in answer
    assert "canary-key" not in answer
    home = Path(deployment.env["DAGSTER_HOME"])
    files = [path for path in home.rglob("*") if path.is_file()]
    assert [path for path in files if b"canary-key" in _content(path)] == []
    assert [log for log in deployment.home.glob("*.log") if "canary-key" in log.read_text()] == []


def test_one_call_from_python_is_loaded_as_the_page_says(tmp_path: Path) -> None:
    made = Project(tmp_path)
    made.write("pictures.py", snippet("From Python", "python"))
    tables = "".join(
        f'[catalogue.{name}]\nsource = "images/{name}"\noutput = "cutouts/{name}"\naccounts = ["local"]\n'
        for name in ("brand_a", "brand_b")
    )
    (made.folder / "bg_pipeline.toml").write_text(tables)
    listed = made.run("dg", "list", "defs", "--json")

    for name in ("brand_a/cutouts", "brand_b/cutouts", "local/credit_balance", "brand_a_nightly_delta_sync"):
        assert name in listed
