"""The wiring of rembg; its models are not ours to test."""

import io
import sys
from types import ModuleType

import pytest
from PIL import Image

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.vendors.rembg.engine import RembgEngine
from bg_pipeline_tests.adapters.clients import request
from bg_pipeline_tests.pictures import opened


def installed(monkeypatch: pytest.MonkeyPatch, weights: bool = True) -> list[object]:
    """A module with the two functions of rembg that are used; returns the sessions that were opened."""
    sessions: list[object] = []

    def new_session(model: str) -> object:
        assert model == RembgEngine.MODEL
        if not weights:
            raise ConnectionError("github.com cannot be reached")
        sessions.append(object())
        return sessions[-1]

    def remove(image: Image.Image, *, session: object, only_mask: bool) -> Image.Image:
        assert session is sessions[0]
        assert only_mask
        return Image.new("L", image.size, 77)

    fake = ModuleType("rembg")
    fake.new_session = new_session  # type: ignore[attr-defined]
    fake.remove = remove  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rembg", fake)
    return sessions


def test_the_mask_becomes_the_alpha_and_one_session_serves_all(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = installed(monkeypatch)
    engine = RembgEngine()
    replies = [engine.cut(request()) for _ in range(2)]

    assert opened(replies[0].answer).getpixel((3, 3))[3] == 77  # type: ignore[index]
    assert (len(sessions), replies[0].credits_charged, engine.balance()) == (1, 0, None)
    assert Image.open(io.BytesIO(replies[1].answer)).size == (48, 32)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rembg", None)

    with pytest.raises(ConfigurationError, match=r"bg-pipeline\[rembg\]"):
        RembgEngine()


def test_missing_weights_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, weights=False)

    with pytest.raises(ConfigurationError, match="weights"):
        RembgEngine().cut(request())
