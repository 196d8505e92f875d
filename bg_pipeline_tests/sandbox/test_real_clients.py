"""Clients from the package index, by people who never saw this sandbox; only the host in their URLs is changed."""

import base64
import gc
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import remove_bg_api
import removebg
import removebg_cli
import requests
from PIL import Image

from bg_pipeline.sandbox.faults import Fault, FaultKind
from bg_pipeline.sandbox.serve import RunningSandbox
from bg_pipeline_tests.sandbox import client

# They leave files open.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

SMALL = client.picture(40, 30)
LARGE = client.picture(800, 600)


@pytest.fixture
def sandbox(shared: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSandbox]:
    """The clients have the vendor's address in their code, so their requests are led here at the last moment."""
    send = requests.Session.send

    def led_here(session: requests.Session, request: requests.PreparedRequest, **options: object) -> requests.Response:
        assert request.url is not None
        request.url = request.url.replace("https://api.remove.bg", shared.base_url)
        return send(session, request, **options)

    monkeypatch.setattr(requests.Session, "send", led_here)
    shared.state.faults.replace([])
    yield shared
    gc.collect()  # here, where the warnings are ignored


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    path.write_bytes(LARGE)
    return path


def opened(content: Path | bytes) -> Image.Image:
    return Image.open(io.BytesIO(content if isinstance(content, bytes) else content.read_bytes()))


def costs(sandbox: RunningSandbox, count: int) -> list[float]:
    return [float(charge.credits) for charge in sandbox.state.ledger.charges()[-count:]]


class TestRemovebg:
    """https://pypi.org/project/removebg/"""

    @pytest.fixture
    def vendor(self, sandbox: RunningSandbox, tmp_path: Path) -> removebg.RemoveBg:
        return removebg.RemoveBg("any", str(tmp_path / "error.log"))

    def test_a_file_is_cut_out(self, vendor, sandbox, file):
        vendor.remove_background_from_img_file(str(file))
        vendor.remove_background_from_img_file(str(file), size="4k", bg_color="white")
        assert opened(Path(f"{file}_no_bg.png")).size == (800, 600)
        assert costs(sandbox, 2) == [0.25, 1]

    def test_a_base64_text_and_a_url_are_cut_out(self, vendor, sandbox, tmp_path):
        vendor.remove_background_from_base64_img(base64.b64encode(SMALL), new_file_name=str(tmp_path / "b64.png"))
        url = client.post(sandbox.base_url, SMALL).json()["data"]["imageUrl"]
        vendor.remove_background_from_img_url(url, new_file_name=str(tmp_path / "url.png"))
        assert {opened(tmp_path / name).mode for name in ("b64.png", "url.png")} == {"RGBA"}

    @pytest.mark.parametrize("kind", [FaultKind.NO_CREDITS, FaultKind.BAD_KEY, FaultKind.TOO_MANY_REQUESTS])
    def test_an_error_is_raised(self, vendor, sandbox, file, kind):
        sandbox.state.faults.replace([Fault(kind=kind)])
        with pytest.raises(requests.HTTPError):
            vendor.remove_background_from_img_file(str(file))


class TestRemoveBgApi:
    """https://pypi.org/project/remove-bg-api/. It takes the charge for an integer, so it fails at every preview."""

    @pytest.fixture
    def vendor(self, sandbox: RunningSandbox) -> remove_bg_api.RemoveBg:
        return remove_bg_api.RemoveBg("any")

    def test_bytes_and_a_file_are_cut_out_and_the_balance_is_counted_down(self, vendor, sandbox, file):
        before = vendor.account.balance()
        cutout = vendor.remove_bg_bytes(SMALL, size="full")
        again = vendor.remove_bg_file(str(file), raw=True, size="full")
        assert opened(cutout).size == (40, 30)
        assert opened(again).size == (800, 600)
        assert vendor.account.balance() == before - 2 == vendor.account.get_balance_dict()["total"]
        assert vendor.account.free_api_calls() == 0

    def test_a_base64_text_and_a_url_are_cut_out(self, vendor, sandbox):
        url = client.post(sandbox.base_url, SMALL).json()["data"]["imageUrl"]
        results = [
            vendor.remove_bg_base64(base64.b64encode(SMALL), size="full"),
            vendor.remove_bg_url(url, size="full", data={"size": "full", "format": "zip"}),
        ]
        assert opened(results[0]).mode == "RGBA"
        assert results[1].startswith(b"PK")

    @pytest.mark.parametrize(
        ("kind", "error"),
        [
            (FaultKind.NO_CREDITS, remove_bg_api.Errors.ApiErrorCode402),
            (FaultKind.BAD_KEY, remove_bg_api.Errors.ApiErrorCode403),
            (FaultKind.TOO_MANY_REQUESTS, remove_bg_api.Errors.ApiErrorCode429),
            (FaultKind.INTERNAL_ERROR, remove_bg_api.Errors.UnknownError),
        ],
    )
    def test_errors_are_told_apart(self, vendor, sandbox, kind, error):
        sandbox.state.faults.replace([Fault(kind=kind)])
        with pytest.raises(error):
            vendor.remove_bg_bytes(SMALL, size="full")

    def test_what_is_no_picture_is_an_error(self, vendor):
        with pytest.raises(remove_bg_api.Errors.ApiErrorCode400):
            vendor.remove_bg_bytes(b"no picture", size="full")


class TestRemovebgCli:
    """https://pypi.org/project/removebg-cli/"""

    @pytest.fixture(autouse=True)
    def key(self, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REMOVE_BG_API_KEY", "any")

    @pytest.fixture
    def run(self, monkeypatch: pytest.MonkeyPatch):
        def run_with(*words: str) -> None:
            monkeypatch.setattr("sys.argv", ["removebg", *words])
            removebg_cli.main()

        return run_with

    def test_a_file_is_cut_out(self, run, sandbox, file, capsys):
        run(str(file), "-c", "--shadow", "-s", "full")
        assert opened(file.with_name("a-nobg.png")).size == (400, 600)
        assert "1 credits" in " ".join(capsys.readouterr().out.split())  # it wraps its lines

    def test_every_size_and_format_works(self, run, sandbox, file, tmp_path):
        for size in ("auto", "preview", "full", "50MP"):
            run(str(file), "-s", size, "-o", str(tmp_path / f"{size}.png"))
        assert costs(sandbox, 4) == [1, 0.25, 1, 1]
        for fmt in ("jpg", "webp", "zip"):
            run(str(file), "-f", fmt, "-b", "white", "-o", str(tmp_path / f"out.{fmt}"))

    def test_the_account_is_shown(self, run, capsys):
        run("--account")
        assert "Credits" in capsys.readouterr().out

    def test_a_429_is_waited_out_for_as_long_as_it_says(self, run, sandbox, file, monkeypatch):
        waits: list[float] = []
        monkeypatch.setattr(removebg_cli.time, "sleep", waits.append)
        throttled = Fault(kind=FaultKind.TOO_MANY_REQUESTS, retry_after="7")
        sandbox.state.faults.replace([throttled, Fault(kind=FaultKind.BAD_GATEWAY_PAGE)])
        run(str(file))
        assert waits == [7, 2]
        assert file.with_name("a-nobg.png").exists()

    def test_an_error_ends_it_with_the_title(self, run, file, capsys):
        with pytest.raises(SystemExit):
            run(str(file), "-b", "blurple")
        assert "Invalid bg_color parameter given" in " ".join(capsys.readouterr().out.split())
