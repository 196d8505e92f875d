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

    The first cut downloads the model's weights (about 170 MB) unless they are there already.
    """

    MODEL = "u2net"
    """rembg's own default is a model whose licence forbids commercial use; this one is under Apache-2.0."""

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

    def balance(self) -> Decimal | None:
        return None

    def _loaded(self) -> Any:
        if self._session is None:
            try:
                self._session = self._rembg.new_session(self.MODEL)
            except Exception as error:  # rembg lets through whatever its downloader raises
                raise ConfigurationError(
                    f"rembg has no weights of {self.MODEL} and could not download them; its README says where they go"
                ) from error
        return self._session
