"""Two catalogues of one deployment, on one account, and the command line in this process."""

from pathlib import Path

from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.e2e.shop import ShopInHere
from bg_pipeline_tests.pictures import product

TABLES = """
bg_low_credits = 50
{settings}

[account.main]
vendor = "bgeraser"
{account}

[catalogue.brand_a]
source = "a/images"
output = "a/cutouts"
stable_s = 0

[catalogue.brand_b]
source = "b/images"
output = "b/cutouts"
stable_s = 0
{brand_b}
"""


class TwoShops(ShopInHere):
    """A folder with two catalogues, with a picture that both have and one of its own each; its vendor."""

    def __init__(self, home: Path, vendor: SandboxState, base_url: str, **tables: str) -> None:
        super().__init__(home, vendor, base_url)
        for name in ("BG_PROVIDER", "BG_LOW_CREDITS", "BG_STABLE_S"):
            del self.env[name]
        self.write(**tables)
        for brand, number in (("a", 1), ("b", 2)):
            self.put_in(brand, "both.png", 0)
            self.put_in(brand, f"own/{brand}.png", number)

    def write(self, *, settings: str = "", account: str = "", brand_b: str = "") -> None:
        text = TABLES.format(settings=settings, account=account, brand_b=brand_b)
        (self.home / "bg_pipeline.toml").write_text(text)

    def put_in(self, brand: str, key: str, number: int) -> None:
        path = self.home / brand / "images" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(product(number))
