"""Settings of the decoders."""

from pydantic import Field

from bg_pipeline.imaging.workers import Limits
from bg_pipeline.settings.part import Part


class DecoderSettings(Part):
    """Settings of the processes that decode pictures."""

    max_megapixels: int = Field(
        Limits().max_pixels // 10**6,
        ge=1,
        le=1000,
        description="largest picture that is decoded, in megapixels: a larger one fails. Memory and time that a decoder"
        " may take grow with it: 24 MB and 2.4 s a megapixel",
    )

    @property
    def limits(self) -> Limits:
        return Limits(self.max_megapixels * 10**6)
