"""Alerts over real sockets: webhooks that answer, fail, hang and recover."""

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from bg_pipeline.alerts.apprise import AppriseSink
from bg_pipeline.alerts.refusals import refusal
from bg_pipeline.cli.main import main
from bg_pipeline.core.alerts import HOLD_S, REPEAT_S, Alert, AlertCheck, Event, Kind, notification, plan_notifications
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.manifest.database import Database
from bg_pipeline.manifest.outbox import SqlOutbox
from bg_pipeline.pipeline.alerting.notify import deliver
from bg_pipeline.settings.reader import RawSettings
from bg_pipeline.wiring.settings import compose, load_settings
from bg_pipeline_tests.fakes import FakeClock

CANARY = "canary-5ecr3t-path"
TIMEOUT_S = 0.5
REFUSALS = {
    "500": "HTTP 500 Internal Server Error: the server failed",
    "redirect": "HTTP 307 Temporary Redirect: check its URL",
    "hang": f"it did not answer within {TIMEOUT_S:g} seconds",
    "drip": f"it did not answer within {TIMEOUT_S:g} seconds",
}


class Webhook:
    """A server that notes what it took; `mode` says how it answers."""

    def __init__(self) -> None:
        self.mode = "ok"
        self.took: list[dict[str, Any]] = []
        self.calls = 0
        self.paths: set[str] = set()
        self.let_go = threading.Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"json://user:{CANARY}-password@127.0.0.1:{self.port}/{CANARY}"

    def titles(self) -> list[str]:
        return [taken["title"] for taken in self.took]


class _Handler(BaseHTTPRequestHandler):
    hook: Webhook

    def do_POST(self) -> None:
        hook = self.hook
        hook.calls += 1
        hook.paths.add(self.path)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if hook.mode == "hang":
            hook.let_go.wait(30)
            self.close_connection = True
            return
        status = {"500": 500, "redirect": 307}.get(hook.mode, 200)
        if status == 200 and hook.mode != "drip":
            hook.took.append(body)
        self.send_response(status)
        if hook.mode == "redirect":
            self.send_header("Location", f"http://127.0.0.1:{hook.port}/elsewhere")
        if hook.mode == "malformed":
            self._headers_buffer.append(b"no header at all \xff\r\n")  # type: ignore[attr-defined]
        self.send_header("Content-Length", "1000000" if hook.mode == "drip" else "0")
        self.end_headers()
        while hook.mode == "drip" and not hook.let_go.wait(0.1):
            self.wfile.write(b".")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Webhook]:
    hook = Webhook()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hook": hook}))
    server.daemon_threads = True
    hook.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hook
    finally:
        hook.let_go.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with serving() as running:
        yield running


@pytest.fixture
def other() -> Iterator[Webhook]:
    with serving() as running:
        yield running


class Post:
    """The outbox in a real database, and the real sink."""

    def __init__(self, file: Path, clock: FakeClock, *hooks: Webhook) -> None:
        self.clock = clock
        self.database = Database(f"sqlite:///{file}")
        self.outbox = SqlOutbox(self.database, 1, clock)
        self.sink = AppriseSink([hook.url for hook in hooks], TIMEOUT_S)

    def look(self, *alerts: Alert) -> None:
        targets = [target.digest for target in self.sink.targets]
        self.outbox.note(lambda incidents: plan_notifications(AlertCheck(alerts), incidents, self.clock.now), targets)

    def deliver(self, for_s: float = 0.0) -> tuple[str, ...]:
        self.clock.now += for_s
        return deliver(self.outbox, self.sink, self.clock).refusals


LOW = Alert(Kind.CREDITS, "bgeraser", "credits are low", ("<!channel> &lt;!channel&gt;\nof two lines",))


@pytest.fixture
def post(tmp_path: Path, clock: FakeClock, hook: Webhook, other: Webhook) -> Iterator[Post]:
    made = Post(tmp_path / "manifest.db", clock, hook, other)
    yield made
    made.database.close()


def test_an_incident_arrives_as_plain_text_once_at_each_target(post: Post, hook: Webhook, other: Webhook) -> None:
    post.look(LOW)
    assert [post.deliver(60.0) for _ in range(5)] == [()] * 5

    for server in (hook, other):
        (taken,) = server.took
        assert (taken["title"], taken["type"]) == ("bg_pipeline: credits are low", "warning")
        assert taken["message"] == "‹!channel› &lt;!channel&gt;\\nof two lines\ndocs/operating.md#alert-credits"


@pytest.mark.parametrize("mode", ["500", "hang", "drip", "redirect"])
def test_a_bad_target_loses_nothing_delays_nobody_and_gets_all_in_order_later(
    post: Post, hook: Webhook, other: Webhook, mode: str
) -> None:
    hook.mode = mode
    post.look(LOW)
    (said,) = post.deliver()
    assert said == f"target 1 (json) did not accept an alert: {REFUSALS[mode]}"
    post.clock.now += REPEAT_S
    post.look(LOW)
    post.deliver()
    post.clock.now += HOLD_S
    post.look()
    post.deliver()
    story = ["bg_pipeline: credits are low", "bg_pipeline, still: credits are low"]
    story.append("bg_pipeline, recovered: credits are low")
    assert (hook.titles(), other.titles()) == ([], story)

    hook.mode = "ok"
    hook.let_go.set()
    assert post.deliver(3600.0) == ()
    assert (hook.titles(), other.titles()) == (story, story)
    assert (post.deliver(3600.0), hook.calls - len(story), other.calls) == ((), 3, 3)
    assert hook.paths == {f"/{CANARY}"}


def test_a_target_that_nobody_serves_is_one_that_did_not_take_it(tmp_path: Path, clock: FakeClock) -> None:
    gone = Webhook()
    gone.port = 1
    post = Post(tmp_path / "manifest.db", clock, gone)
    post.look(LOW)

    (said,) = post.deliver()
    assert "the connection was refused" in said
    post.database.close()


@pytest.mark.parametrize("url", ["slack://too-short", "nonsense://x", "json://"])
def test_a_url_that_apprise_cannot_use_is_one_that_did_not_take_it(url: str) -> None:
    sink = AppriseSink([url])

    assert "Apprise knows no service" in sink.send(sink.targets[0], notification(Event.TEST, "a test", []))


class Raises:
    """A service that breaks, and quotes its URL in doing so."""

    def __len__(self) -> int:
        return 1

    def notify(self, **_: object) -> bool:
        raise ValueError(f"cannot post to json://{CANARY}")


def test_a_service_that_breaks_did_not_take_it_and_says_nothing(
    hook: Webhook, capfd: pytest.CaptureFixture[str]
) -> None:
    sink = AppriseSink([hook.url])
    sink._services[sink.targets[0].digest] = Raises()  # type: ignore[assignment]

    assert "(ValueError)" in sink.send(sink.targets[0], notification(Event.TEST, "a test", []))
    assert "".join(capfd.readouterr()) == ""


def test_a_chat_gets_no_mention_and_no_link_out_of_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    posted: list[str] = []

    def post(*_: object, data: str, **__: object) -> requests.Response:
        posted.append(data)
        answer = requests.Response()
        answer.status_code, answer._content = 200, b"ok"
        return answer

    monkeypatch.setattr(requests, "post", post)
    monkeypatch.setattr(requests, "request", lambda _method, *words, **more: post(*words, **more))
    sink = AppriseSink(["slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#alerts"])
    key = "<!channel> &lt;!here&gt; <@U1> <https://example.org|click>"

    assert sink.send(sink.targets[0], notification(Event.BEGAN, "a title", [key])) == ""
    (data,) = posted
    assert "&amp;lt;!here&amp;gt;" in data
    assert not set("<>@") & set(data.replace("https:", ""))


def test_no_secret_is_in_any_log_row_name_or_repr(
    post: Post, hook: Webhook, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    bad = AppriseSink([f"slack://{CANARY}", f"nonsense://{CANARY}", f"json://{CANARY}.invalid/{CANARY}"], TIMEOUT_S)
    for target in bad.targets:
        bad.send(target, notification(Event.TEST, "a test", []))
    post.look(LOW)
    for mode in ("500", "hang", "malformed", "redirect", "ok"):
        hook.mode = mode
        post.deliver(3600.0)
    hook.let_go.set()
    post.database.close()
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    said = (
        caplog.text
        + "".join(capfd.readouterr())
        + repr([post.sink, post.sink.targets, bad.targets, vars(bad)["targets"]])
    )

    assert hook.took
    assert b"credits are low" in kept
    assert CANARY.encode() not in kept
    assert CANARY not in said


def test_the_process_ends_although_a_target_never_stops_answering(hook: Webhook, tmp_path: Path) -> None:
    hook.mode = "drip"
    code = (
        "import sys; from bg_pipeline.alerts.apprise import AppriseSink\n"
        "from bg_pipeline.core.alerts import Event, notification\n"
        f"sink = AppriseSink([sys.argv[1]], {TIMEOUT_S})\n"
        "print(sink.send(sink.targets[0], notification(Event.TEST, 'a test', [])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, hook.url], capture_output=True, text=True, timeout=60, check=True
    )

    assert (done.stdout, done.stderr) == (f"it did not answer within {TIMEOUT_S:g} seconds\n", "")
    assert (hook.calls, hook.let_go.is_set()) == (1, False)


def alert_test(code: int, *words: str) -> str:
    """What the command says."""
    done = CliRunner().invoke(main, ["alert-test", *words])
    assert (done.exit_code, CANARY in done.output) == (code, False), done.output
    return done.output


def test_alert_test_reaches_every_target_and_says_which_took_it(
    hook: Webhook, other: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BG_ALERT_URLS", f"{hook.url},\n{other.url}")
    assert json.loads(alert_test(0, "--json")) == [
        {"target": f"target {n} (json)", "took_it": True, "refusal": "", "waiting": 0, "given_up": 0} for n in (1, 2)
    ]
    other.mode = "500"

    said = alert_test(1).splitlines()
    assert said[-1] == f"target 2 (json) did not accept it: {REFUSALS['500']}"
    assert [line.split() for line in said[1:3]] == [
        ["target", "1", "(json)", "yes", "0", "0"],
        ["target", "2", "(json)", "no", "0", "0"],
    ]
    assert hook.titles() == ["bg_pipeline: a test"] * 2


def test_alert_test_without_targets_is_a_missing_setting() -> None:
    assert "BG_ALERT_URLS is empty" in alert_test(2)


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("", []),
        ("slack://a/b/c", ["slack://a/b/c"]),
        (
            " slack://a/b/c, json://h/x?to=1,2 ,\n\tmailto://u:p@h ",
            ["slack://a/b/c", "json://h/x?to=1,2", "mailto://u:p@h"],
        ),
        ("mailto://u:p@h?to=a@b.c,d@e.f", ["mailto://u:p@h?to=a@b.c,d@e.f"]),
    ],
)
def test_urls_are_told_apart_by_commas_and_line_ends(
    text: str, urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BG_ALERT_URLS", text)

    assert load_settings().alerts.urls == urls


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("BG_ALERT_URLS", f"slack://a/b/c {CANARY}", "entry 2"),
        ("BG_DAGSTER_URL", f"https://me:{CANARY}@host", "without a password"),
        ("BG_DAGSTER_URL", CANARY, "must be a URL"),
    ],
)
def test_a_wrong_url_is_named_by_its_place_and_not_quoted(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=f"{name}: .*{told}") as caught:
        load_settings()

    assert CANARY not in str(caught.value)


def test_the_urls_are_not_in_the_settings_as_they_are_shown() -> None:
    assert CANARY not in repr(compose(RawSettings({"bg_alert_urls": f"json://h/{CANARY}"})))


def test_a_sync_that_a_missing_key_stops_alerts_with_the_setting(
    hook: Webhook, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By cron, with no reader of its output."""
    monkeypatch.setenv("BG_PROVIDER", "bgeraser")
    assert CliRunner().invoke(main, ["sync"]).exit_code == 2
    assert not (tmp_path / ".bg_pipeline").exists()

    monkeypatch.setenv("BG_ALERT_URLS", hook.url)
    for _ in range(2):
        assert CliRunner().invoke(main, ["sync"]).exit_code == 2
    (title,) = hook.titles()
    assert title.startswith("bg_pipeline: a setting is wrong: BG_PROVIDER=bgeraser needs BGERASER_API_KEY")


@pytest.mark.parametrize(
    ("logged", "said"),
    [
        ("Failed to send: Not Found, error=404.", "HTTP 404 Not Found"),
        ("Socket Exception: Failed to resolve 'h' ([Errno -2] Name or service not known)", "DNS"),
        (f"Socket Exception: (535, b'5.7.8 {CANARY}')", "user or password"),
        (f"SSLError: certificate verify failed: {CANARY}", "TLS"),
        (f"Response Details: {CANARY}", "no reason"),
    ],
)
def test_a_refusal_is_told_in_words_of_our_own(logged: str, said: str) -> None:
    assert said in refusal([logged])
    assert CANARY not in refusal([logged])
