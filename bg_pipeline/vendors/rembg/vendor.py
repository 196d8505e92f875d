"""Description of the neural engine on this machine."""

from decimal import Decimal
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from bg_pipeline.core.recipe import Cut
from bg_pipeline.core.vendor import FREE, Variant, Vendor
from bg_pipeline.errors import ConfigurationError
from bg_pipeline.ports.purchasing import Remover
from bg_pipeline.ports.running import Call
from bg_pipeline.settings.part import absolute
from bg_pipeline.vendors.plugin import Plugin, VendorSettings
from bg_pipeline.vendors.rembg import models


class RembgSettings(VendorSettings):
    """Settings of the neural engine."""

    prefix = "bg_rembg"  # REMBG_HOME is a variable of rembg itself

    model: str = Field(
        models.DEFAULT,
        description="a model of rembg ([vendors.md](vendors.md) lists them), or the path of an ONNX file",
    )
    threads: int = Field(0, ge=0, description="most threads of one cut; 0 for all cores")
    device: Literal["cpu", "cuda"] = Field(
        "cpu", description="`cuda` needs a graphics card of NVIDIA and `onnxruntime-gpu`"
    )

    second: Literal["", "grabcut"] = Field(
        "",
        description="`grabcut` also cuts each picture by classical means (extra `local`), and where the two cut"
        " different things, the result is suspicious; default: no second engine",
    )

    @field_validator("model")
    @classmethod
    def _a_model(cls, value: str, info: ValidationInfo) -> str:
        if models.is_path(value):
            value = absolute(value, info.context)
            if not Path(value).is_file():
                raise ValueError(f"there is no file {value}")
        elif value not in models.MODELS:
            raise ValueError(f"must be one of {', '.join(models.MODELS)}, or the path of an ONNX file")
        return value


def _cut(settings: RembgSettings, side_px: int) -> Cut:
    # The default model's cuts have no parameter: so they were named before there was a choice.
    if settings.model == models.DEFAULT:
        return VENDOR.cut(side_px)
    return VENDOR.cut(side_px, params={"model": models.identity(settings.model)})


def _client(settings: RembgSettings, call: Call) -> Remover:
    from bg_pipeline.vendors.rembg.engine import RembgEngine  # noqa: PLC0415  needed only to buy

    engine = RembgEngine(call, settings.model, settings.threads, cuda=settings.device == "cuda")
    if not settings.second:
        return engine
    if not find_spec("cv2"):
        raise ConfigurationError("BG_REMBG_SECOND=grabcut needs the extra `local`: pip install 'bg-pipeline[local]'")
    from bg_pipeline.vendors.local.engine import grabcut  # noqa: PLC0415  needed only to buy
    from bg_pipeline.vendors.rembg.second import AGREE, SecondOpinion  # noqa: PLC0415

    return SecondOpinion(engine, partial(call, grabcut), "GrabCut", AGREE, call)


def _about(settings: RembgSettings) -> str:
    if models.is_path(settings.model):
        return f"installed, with {settings.model}"
    if weights := models.stored(settings.model):
        return f"installed, with {weights}"
    folder, model = models.folder_of(settings.model), models.MODELS[settings.model]
    return f"installed; the first cut downloads the weights of {settings.model} ({model.about}) into {folder}"


VENDOR = Vendor(
    name="rembg",
    title="rembg",
    variants={"": Variant(FREE, credits=Decimal(0))},
    notes=(
        "A neural model on this machine: for clutter, hair and real scenes too. Needs the extra `rembg`.",
        (
            "Weights that rembg downloaded are used; missing ones are downloaded at the first cut, into "
            "`~/.rembg/models`."
        ),
        "CUDA was tried with a stand-in only.",
    ),
    facts=tuple(f"`BG_REMBG_MODEL={name}`: {model.about}; {model.licence}" for name, model in models.MODELS.items()),
    sources=("github.com/danielgatis/rembg 2.0.86, README and sessions, read 2026-11",),
)

PLUGIN = Plugin(VENDOR, RembgSettings, _cut, _client, _about)
