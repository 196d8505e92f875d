"""
Take out each safeguard in turn, and see its test go red.

    python -m bg_pipeline_tests.safeguards              all of them, two at once
    python -m bg_pipeline_tests.safeguards zip redirect those with such a word in area, promise or file
    python -m bg_pipeline_tests.safeguards docs         print docs/safeguards.md
"""

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from bg_pipeline_tests.safeguards.mutation import Copy, Outcome, all_green
from bg_pipeline_tests.safeguards.safeguard import Safeguard, as_document
from bg_pipeline_tests.safeguards.table import SAFEGUARDS

_AT_ONCE = 2


def main(words: list[str]) -> int:
    """Return the exit code: 0 if every test is green as it is and red without its safeguard."""
    if words == ["docs"]:
        print(as_document(SAFEGUARDS), end="")
        return 0
    chosen = [each for each in SAFEGUARDS if not words or any(word in _searched(each) for word in words)]
    started_at = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bgp-safeguards-") as folder:
        copies: SimpleQueue[Copy] = SimpleQueue()
        for number in range(_AT_ONCE):
            copies.put(Copy(Path(folder) / str(number)))
        copy = copies.get()
        whole = all_green(copy, chosen)
        copies.put(copy)
        if whole.failures or whole.problem:
            print("with nothing taken out, tests fail already:", *whole.failures, whole.problem, sep="\n  ")
            return 1
        print(f"with nothing taken out, {whole.passed} tests pass ({time.monotonic() - started_at:.0f} s)")

        def without(safeguard: Safeguard) -> Outcome:
            copy = copies.get()
            try:
                outcome = copy.without(safeguard)
            finally:
                copies.put(copy)
            print(_line(safeguard, outcome), flush=True)
            return outcome

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            outcomes = list(pool.map(without, chosen))
    red = sum(outcome.is_red for outcome in outcomes)
    print(f"{red} of {len(chosen)} safeguards are missed when they are gone; {time.monotonic() - started_at:.0f} s")
    return 0 if red == len(chosen) else 1


def _line(safeguard: Safeguard, outcome: Outcome) -> str:
    if outcome.is_red:
        return f"red    {safeguard.promise}\n       {outcome.failures[0][:160]}"
    return f"GREEN  {safeguard.promise}\n       {safeguard.path}, {safeguard.test_id}: {outcome.problem or 'it passes'}"


def _searched(safeguard: Safeguard) -> str:
    return f"{safeguard.area} {safeguard.promise} {safeguard.file}".lower()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
