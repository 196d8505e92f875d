"""
`python -m bg_pipeline_tests.benchmarks [NAME]`: buying, against an ideal or a peer in the same run.

Without a name all three, one after the other; about 20 minutes.
"""

import sys
from collections.abc import Callable, Mapping, Sequence

from bg_pipeline_tests.benchmarks import limits, originals, throughput

BENCHMARKS: Mapping[str, Callable[[Sequence[str]], bool]] = {
    "throughput": throughput.main,
    "limits": limits.main,
    "originals": originals.main,
}


def main(arguments: Sequence[str]) -> int:
    """0 if what was run met its line."""
    if not arguments:
        met = [run([]) for run in BENCHMARKS.values()]
        return 0 if all(met) else 1
    if arguments[0] not in BENCHMARKS:
        print(f"usage: python -m bg_pipeline_tests.benchmarks [{'|'.join(BENCHMARKS)}]", file=sys.stderr)
        return 2
    return 0 if BENCHMARKS[arguments[0]](arguments[1:]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
