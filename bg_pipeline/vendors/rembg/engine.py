"""A neural engine on this machine: free and private."""

import sys
import threading
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.imaging.tensors import cut_with, tensor_of
from bg_pipeline.ports.purchasing import CutReply, CutRequest
from bg_pipeline.ports.running import Call
from bg_pipeline.vendors.rembg import models

_CUDA = "CUDAExecutionProvider"
_ON_CUDA = "BG_REMBG_DEVICE=cuda"


class Session(Protocol):
    """The part of `onnxruntime.InferenceSession` that is used."""

    def run(self, output_names: Sequence[str] | None, inputs: dict[str, Any], /) -> Sequence[Any]: ...
    def get_inputs(self) -> Sequence[Any]: ...
    def get_providers(self) -> Sequence[str]: ...


class RembgEngine:
    """
    `ports.Remover` by one of the neural models of rembg, run by ONNX Runtime.

    The first cut loads the weights; it downloads them if they are a published model's and not on this machine.

    Args:
        call: isolates decoders.
        model: name of a model, or path of its weights.
        threads: most threads of a cut; 0 for all cores.
        cuda: True to run on a CUDA graphics card.
    """

    def __init__(self, call: Call, model: str, threads: int = 0, *, cuda: bool = False) -> None:
        try:
            import onnxruntime  # noqa: PLC0415  only with its extra
            import pooch  # noqa: PLC0415
        except ImportError as error:
            raise ConfigurationError("BG_PROVIDER=rembg needs its extra: pip install 'bg-pipeline[rembg]'") from error
        if cuda and _CUDA not in onnxruntime.get_available_providers():
            raise ConfigurationError(
                "BG_REMBG_DEVICE=cuda needs another build of ONNX Runtime: pip install onnxruntime-gpu"
            )
        self._runtime, self._pooch = onnxruntime, pooch
        self._call = call
        self._model, self._threads, self._cuda = model, threads, cuda
        self._session: Session | None = None
        self._lock = threading.Lock()

    def cut(self, request: CutRequest) -> CutReply:
        """
        Raises:
            ConfigurationError: there are no weights, or they cannot be used.
        """
        session = self._loaded()
        model_input = session.get_inputs()[0]
        side_px = model_input.shape[-1]
        tensor = self._call(tensor_of, request.image, side_px, models.normalization(self._model, side_px))
        with self._lock:  # one at a time: a session uses its threads by itself
            output = session.run(None, {model_input.name: tensor})[0]
        return CutReply(self._call(cut_with, request.image, output[0, 0]), Decimal(0))

    def open_answer(self, answer: bytes) -> bytes:
        return answer

    def balance(self) -> Decimal | None:
        return None

    def _loaded(self) -> Session:
        with self._lock:
            if self._session is None:
                self._session = self._load(self._weights())
            return self._session

    def _weights(self) -> Path:
        if models.is_path(self._model):
            return Path(self._model)
        if stored := models.stored(self._model):
            return stored
        model, folder = models.MODELS[self._model], models.folder_of(self._model)
        try:
            fetched = self._pooch.retrieve(
                model.url,
                f"md5:{model.md5}",
                fname=f"{self._model}.onnx",
                path=folder,
                progressbar=sys.stderr.isatty(),
            )
        except Exception as error:  # pooch passes on whatever its downloader raises
            raise ConfigurationError(
                f"the weights of {self._model} are not in {folder}, and could not be downloaded"
                f" ({type(error).__name__}): fetch {model.url} elsewhere, and copy it to {folder / self._model}.onnx,"
                " or set BG_REMBG_MODEL to its path"
            ) from error
        return Path(fetched)

    def _load(self, weights: Path) -> Session:
        options = self._runtime.SessionOptions()
        options.intra_op_num_threads = self._threads
        providers = [_CUDA, "CPUExecutionProvider"] if self._cuda else ["CPUExecutionProvider"]
        try:
            session: Session = self._runtime.InferenceSession(str(weights), options, providers=providers)
        except Exception as error:  # ONNX Runtime has exceptions of its own for each cause
            raise ConfigurationError(f"{weights}: ONNX Runtime cannot load it: {_first_line(error)}") from error
        shape = session.get_inputs()[0].shape
        if len(session.get_inputs()) != 1 or len(shape) != 4 or shape[1] != 3 or shape[2] != shape[3]:
            raise ConfigurationError(f"{weights}: not a model for background removal: its input has the shape {shape}")
        if self._cuda and session.get_providers()[0] != _CUDA:
            # ONNX Runtime falls back without an error, and a night would take twenty times as long.
            raise ConfigurationError(
                "BG_REMBG_DEVICE=cuda: ONNX Runtime cannot use the graphics card; see its installation guide"
            )
        return session


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:200]
