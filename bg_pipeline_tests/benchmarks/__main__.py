"""`python -m bg_pipeline_tests.benchmarks NAME`: measures against an ideal or a peer in the same run."""

import sys
from collections.abc import Callable, Sequence

from bg_pipeline_tests.benchmarks import limits, throughput

BENCHMARKS: dict[str, Callable[[Sequence[str]], bool]] = {"limits": limits.main, "throughput": throughput.main}


def main(arguments: Sequence[str]) -> int:
    """0 if the benchmark met its line."""
    if not arguments or arguments[0] not in BENCHMARKS:
        print(f"usage: python -m bg_pipeline_tests.benchmarks {{{'|'.join(BENCHMARKS)}}}", file=sys.stderr)
        return 2
    return 0 if BENCHMARKS[arguments[0]](arguments[1:]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
