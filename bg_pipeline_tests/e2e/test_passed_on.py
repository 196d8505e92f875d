"""An engine on this machine, then an account for what it leaves suspicious: through the command line."""

from pathlib import Path

from PIL import Image

from bg_pipeline.sandbox.serve import running_sandbox
from bg_pipeline.sandbox.state import SandboxState
from bg_pipeline_tests.e2e.test_maintenance import ShopInHere
from bg_pipeline_tests.pictures import cut_middle, encoded, product


def test_the_plan_is_the_most_and_the_ledger_says_what_was_saved(tmp_path: Path) -> None:
    vendor = SandboxState()
    with running_sandbox(vendor, cut_middle) as running:
        shop = ShopInHere(tmp_path, vendor, running.base_url)
        shop.env |= {"BG_PROVIDER": "local,removebg", "BG_SUSPICIOUS": "next", "BG_IN_DOUBT": "hold"}
        shop.env |= {"REMOVEBG_API_KEY": "canary-key", "REMOVEBG_BASE_URL": running.base_url}
        for number in range(3):
            shop.put(f"hats/{number}.png", product(number, size=(240, 160)))
        shop.put("hats/fog.png", encoded(Image.effect_noise((240, 160), 3).convert("RGB")))

        assert shop.json("plan")["credits"] == 4
        assert "local cut first, free; only suspicious results are bought: removebg" in shop.run("plan")
        done = shop.json("sync", code=1)
        assert (done["published"], done["quarantined"], done["bought_from"]["removebg"]) == (3, 1, 1)
        assert (done["credits"], done["saved"]) == (1, 3)
        assert shop.json("ledger")["saved"] == 3
        assert shop.json("plan")["credits"] == 0
