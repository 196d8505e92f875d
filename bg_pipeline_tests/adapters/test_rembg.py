"""The neural engine, with real weights where they matter."""

import io
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.settings.reader import RawSettings
from bg_pipeline.vendors.rembg import models
from bg_pipeline.vendors.rembg.engine import RembgEngine
from bg_pipeline.vendors.rembg.vendor import PLUGIN, VENDOR, RembgSettings
from bg_pipeline_tests.adapters.clients import request
from bg_pipeline_tests.graph import call_here
from bg_pipeline_tests.pictures import encoded, opened
from bg_pipeline_tests.weights import u2netp

EXAMPLES = Path(__file__).parent / "examples"


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """rembg's u2netp, 4.6 MB."""
    return u2netp(tmp_path_factory.mktemp("weights"))


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of weights that is empty."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("U2NET_HOME", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("REMBG_HOME", str(tmp_path / "rembg"))
    return tmp_path / "rembg"


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A server that publishes the files of a folder as rembg's release."""
    folder = tmp_path / "release"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever).start()
    monkeypatch.setattr(models, "_RELEASE", f"http://127.0.0.1:{server.server_port}")
    yield folder
    server.shutdown()
    server.server_close()


def vase() -> tuple[Image.Image, Image.Image]:
    """A vase before a blurred scene, which GrabCut cannot tell apart; and its alpha."""
    rng = np.random.default_rng(7)
    scene = Image.fromarray(rng.integers(0, 255, (8, 10, 3), np.uint8)).resize((320, 256), Image.Resampling.BICUBIC)
    scene = scene.filter(ImageFilter.GaussianBlur(6))
    alpha = Image.new("L", scene.size)
    draw = ImageDraw.Draw(alpha)
    draw.ellipse((110, 90, 210, 220), fill=255)
    draw.rectangle((142, 40, 178, 110), fill=255)
    body = Image.new("RGB", scene.size, (186, 60, 48))
    ImageDraw.Draw(body).ellipse((124, 110, 150, 180), fill=(232, 140, 128))
    return Image.composite(body, scene, alpha), alpha


def test_the_mask_is_that_of_rembg_itself(weights: Path) -> None:
    """The example was made by rembg 2.0.86 with the same weights: see examples/rembg_u2netp.txt."""
    sent = (EXAMPLES / "rembg_u2netp.png").read_bytes()
    answer = opened(RembgEngine(call_here, str(weights)).cut(request(image=sent)).answer)
    with Image.open(EXAMPLES / "rembg_u2netp.mask.png") as mask:
        apart = np.abs(np.asarray(answer.getchannel("A"), int) - np.asarray(mask, int))

    # Other processors round differently.
    assert float(apart.mean()) < 0.5
    assert np.percentile(apart, 99) <= 3


def test_a_subject_before_a_scene_is_cut_out(weights: Path) -> None:
    picture, truth = vase()
    reply = RembgEngine(call_here, str(weights)).cut(request(image=encoded(picture)))
    cut, real = (np.asarray(each) > 127 for each in (opened(reply.answer).getchannel("A"), truth))

    assert (cut & real).sum() / (cut | real).sum() > 0.85
    assert (reply.credits_charged, opened(reply.answer).size) == (0, picture.size)


def test_weights_that_rembg_downloaded_are_used(home: Path, weights: Path) -> None:
    for place in (home / "models" / "u2netp", home, home.parent / ".u2net"):
        place.mkdir(parents=True, exist_ok=True)
        copy = place / "u2netp.onnx"
        copy.write_bytes(weights.read_bytes())
        assert models.stored("u2netp") == copy
        assert RembgEngine(call_here, "u2netp").cut(request()).answer
        copy.unlink()


def test_missing_weights_are_downloaded_and_kept(home: Path, weights: Path, release: Path) -> None:
    (release / "u2netp.onnx").write_bytes(weights.read_bytes())
    RembgEngine(call_here, "u2netp").cut(request())
    (release / "u2netp.onnx").unlink()

    assert RembgEngine(call_here, "u2netp").cut(request()).answer
    assert (home / "models" / "u2netp" / "u2netp.onnx").read_bytes() == weights.read_bytes()


def test_weights_that_arrive_damaged_are_refused_and_leave_no_file(home: Path, release: Path) -> None:
    (release / "u2netp.onnx").write_bytes(b"a page of a captive portal")

    with pytest.raises(ConfigurationError, match="could not be downloaded"):
        RembgEngine(call_here, "u2netp").cut(request())
    assert not [path for path in home.rglob("*") if path.is_file()]


def test_without_weights_and_network_the_error_says_what_to_copy_where(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")

    with pytest.raises(ConfigurationError) as error:
        RembgEngine(call_here, "u2netp").cut(request())
    assert str(home / "models" / "u2netp" / "u2netp.onnx") in str(error.value)
    assert "github.com/danielgatis/rembg/releases" in str(error.value)


@pytest.mark.parametrize("content", [b"", b"not a model", "half"], ids=["empty", "text", "half a download"])
def test_a_file_that_is_no_model_is_named(weights: Path, tmp_path: Path, content: bytes | str) -> None:
    whole = weights.read_bytes()
    path = tmp_path / "mine.onnx"
    path.write_bytes(whole[: len(whole) // 2] if isinstance(content, str) else content)

    with pytest.raises(ConfigurationError, match=r"mine\.onnx: ONNX Runtime cannot load it"):
        RembgEngine(call_here, str(path)).cut(request())


def runtime(monkeypatch: pytest.MonkeyPatch, output: Any, *, shape: Any = (1, 3, 320, 320), active: str = "") -> None:
    """ONNX Runtime for a graphics card, which answers the same to every picture."""

    class Session:
        def __init__(self, path: str, options: Any, providers: list[str]) -> None:
            self._active = [active] if active else providers

        def get_inputs(self) -> list[Any]:
            return [SimpleNamespace(name="input", shape=list(shape))]

        def get_providers(self) -> list[str]:
            return self._active

        def run(self, names: None, inputs: dict[str, Any]) -> list[Any]:
            assert inputs["input"].shape == tuple(shape)
            return [np.full((1, 1, 320, 320), output, np.float32) if np.isscalar(output) else output]

    fake = ModuleType("onnxruntime")
    fake.InferenceSession = Session  # type: ignore[attr-defined]
    fake.SessionOptions = SimpleNamespace  # type: ignore[attr-defined]
    fake.get_available_providers = lambda: ["CUDAExecutionProvider"]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)


def test_a_picture_in_which_the_model_sees_nothing_gets_no_subject(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime(monkeypatch, 0.4)
    answer = RembgEngine(call_here, "/w.onnx").cut(request()).answer

    assert opened(answer).getchannel("A").getextrema() == (0, 0)


def test_outputs_before_the_sigmoid_are_brought_into_range(monkeypatch: pytest.MonkeyPatch) -> None:
    ramp = np.linspace(-8, 8, 320, dtype=np.float32)
    runtime(monkeypatch, np.broadcast_to(ramp, (1, 1, 320, 320)))
    alpha = opened(RembgEngine(call_here, "/w.onnx").cut(request((320, 320))).answer).getchannel("A")

    assert alpha.getpixel((160, 5)) == pytest.approx(128, abs=3)
    assert alpha.getpixel((40, 5)) < 2  # type: ignore[operator]  # a straight ramp would give 32


def test_a_model_for_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime(monkeypatch, 0.4, shape=(1, 1, 28, 28))

    with pytest.raises(ConfigurationError, match="not a model for background removal"):
        RembgEngine(call_here, "/w.onnx").cut(request())


def test_a_graphics_card_is_used_when_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime(monkeypatch, 0.4)

    assert RembgEngine(call_here, "/w.onnx", cuda=True).cut(request()).answer


def test_a_graphics_card_that_cannot_be_used_is_an_error_and_no_slow_night(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime(monkeypatch, 0.4, active="CPUExecutionProvider")

    with pytest.raises(ConfigurationError, match="cannot use the graphics card"):
        RembgEngine(call_here, "/w.onnx", cuda=True).cut(request())


def test_a_graphics_card_needs_the_other_build_of_onnx_runtime() -> None:
    with pytest.raises(ConfigurationError, match="onnxruntime-gpu"):
        RembgEngine(call_here, "u2netp", cuda=True)


@pytest.mark.parametrize("package", ["onnxruntime", "pooch"])
def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(ConfigurationError, match=r"bg-pipeline\[rembg\]"):
        RembgEngine(call_here, "u2netp")


def cut_of(**values: str) -> str:
    return PLUGIN.cut(RawSettings().part(RembgSettings).model_copy(update=values), 2500).digest


def test_each_model_is_a_cut_of_its_own_and_the_default_keeps_its_name(weights: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.onnx"
    mine.write_bytes(weights.read_bytes())
    digests = {name: cut_of(model=name) for name in (*models.MODELS, str(mine))}

    assert len(set(digests.values())) == len(digests)
    assert digests["u2net"] == VENDOR.cut(2500).digest
    moved = mine.rename(tmp_path / "moved.onnx")
    assert cut_of(model=str(moved)) == digests[str(mine)]
    moved.write_bytes(weights.read_bytes() + b" ")
    assert cut_of(model=str(moved)) != digests[str(mine)]


@pytest.mark.parametrize(
    ("file", "side_px", "normalization"),
    [
        ("u2net-of-ours.onnx", 1024, models.IMAGENET),
        ("BiRefNet-shoes.onnx", 1024, models.IMAGENET),
        ("isnet.onnx", 320, models.CENTRED),
        ("mine.onnx", 1024, models.CENTRED),
        ("mine.onnx", 320, models.IMAGENET),
    ],
)
def test_a_file_is_prepared_for_as_its_name_or_its_input_tells(file: str, side_px: int, normalization: Any) -> None:
    assert models.normalization(f"/weights/{file}", side_px) is normalization


def test_the_two_engines_of_the_package_are_prepared_for_as_their_table_tells() -> None:
    assert models.normalization("isnet-general-use", 1024) is models.CENTRED
    assert models.normalization("birefnet-general", 1024) is models.IMAGENET


def test_a_tensor_is_made_of_any_mode(weights: Path) -> None:
    engine = RembgEngine(call_here, str(weights))
    out = io.BytesIO()
    Image.new("L", (40, 30), 99).save(out, "JPEG")

    assert opened(engine.cut(request(image=out.getvalue())).answer).size == (40, 30)
