"""A neural engine on this machine: free and private."""

import io
import threading
from decimal import Decimal
from typing import Any

from PIL import Image

from bg_pipeline.errors import ConfigurationError
from bg_pipeline.imaging.alpha import with_alpha
from bg_pipeline.ports.purchasing import CutReply, CutRequest


class RembgEngine:
    """
    `ports.Remover` by rembg's neural models (danielgatis/rembg), when it is installed.

    The first cut downloads the model's weights (about 170 MB) unless they are present.
    """

    MODEL = "u2net"
    """Name of the model, under Apache-2.0. The licence of rembg's default model forbids commercial use."""

    def __init__(self) -> None:
        try:
            import rembg  # noqa: PLC0415  it takes seconds and half a gigabyte
        except ImportError as error:
            raise ConfigurationError("BG_PROVIDER=rembg needs its extra: pip install 'bg-pipeline[rembg]'") from error
        self._rembg = rembg
        self._session: Any = None
        self._lock = threading.Lock()

    def cut(self, request: CutRequest) -> CutReply:
        # One at a time: a session uses every core by itself.
        with self._lock, Image.open(io.BytesIO(request.image)) as image:
            alpha = self._rembg.remove(image, session=self._loaded(), only_mask=True)
        return CutReply(with_alpha(request.image, alpha), Decimal(0))

    def open_answer(self, answer: bytes) -> bytes:
        return answer

    def balance(self) -> Decimal | None:
        return None

    def _loaded(self) -> Any:
        if self._session is None:
            try:
                self._session = self._rembg.new_session(self.MODEL)
            except Exception as error:  # rembg passes on any exception of its downloader
                raise ConfigurationError(
                    f"rembg has no weights of {self.MODEL} and could not download them; its README says where they go"
                ) from error
        return self._session
