"""
`python -m bg_pipeline_tests.benchmarks`: all of them, and docs/benchmarks.md; see `page`. Half an hour.

With a name only that one, with its own arguments; with `--only NAME …` a page of these.
"""

import runpy
import sys
from collections.abc import Callable, Mapping, Sequence

from bg_pipeline_tests.benchmarks import limits, originals, page, throughput

_TOGETHER: Mapping[str, Callable[[Sequence[str]], bool]] = {
    "throughput": throughput.main,
    "limits": limits.main,
    "originals": originals.main,
}
"""Those that run only from here."""


def main(arguments: Sequence[str]) -> int:
    """0 if what was run met its line, or all of the page could run."""
    name, *further = arguments or [""]
    if name in {"", "--only"}:
        return 0 if page.write(further or list(page.MODULES)) else 1
    if name not in page.MODULES:
        print(f"usage: python -m bg_pipeline_tests.benchmarks [{'|'.join(page.MODULES)}]", file=sys.stderr)
        return 2
    if name in _TOGETHER:
        return 0 if _TOGETHER[name](further) else 1
    sys.argv[1:] = further
    runpy.run_module(f"bg_pipeline_tests.benchmarks.{name}", run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
