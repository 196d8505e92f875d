"""
How many right cutouts the checks hold back, and how many wrong ones they let pass.

    python -m bg_pipeline_tests.benchmarks.checks [--cutouts FOLDER] [--share 0.25]

`drawn` are the tests' own pictures and `photographed` the demo's products, by seeds that no limit was chosen by: those
below 160 and 60. With a folder of real cutouts, these are judged too.
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image

from bg_pipeline.imaging.measures import measure
from bg_pipeline_tests.corpus.composites import composites
from bg_pipeline_tests.corpus.drawn import Case, drawn
from bg_pipeline_tests.corpus.faults import FAULTS
from bg_pipeline_tests.corpus.judging import Result, results
from bg_pipeline_tests.corpus.photographed import photographed

FIRST = 5000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cutouts", type=Path, help="folder of real cutouts")
    parser.add_argument("--share", type=float, default=1.0, help="share of the pictures with wrong answers")
    options = parser.parse_args()
    corpora: dict[str, Sequence[Case]] = {
        "drawn": list(drawn(first=FIRST)),
        "photographed": list(photographed(first=FIRST)),
    }
    if options.cutouts:
        corpora["real"] = list(composites(options.cutouts))
    judged = {name: list(results(cases, share=options.share)) for name, cases in corpora.items()}
    _show_right(judged)
    _show_wrong(judged)
    _show_cost()


def _show_right(judged: dict[str, list[Result]]) -> None:
    print("| right cutouts | held back | of |\n|---|---|---|")
    for corpus, judged_ones in judged.items():
        right = [each for each in judged_ones if not each.fault]
        for kind in dict.fromkeys(each.case.kind for each in right):
            of_kind = [each for each in right if each.case.kind == kind]
            held = [each for each in of_kind if each.reason]
            print(f"| {corpus}, {kind} | {len(held)} | {len(of_kind)} |")
            for each in held:
                print(f"<!-- {each.case.name}: {each.reason} -->")


def _show_wrong(judged: dict[str, list[Result]]) -> None:
    columns = {}
    for corpus, judged_ones in judged.items():
        for hard in (False, True):
            wrong = [each for each in judged_ones if each.fault and each.case.is_hard == hard]
            if wrong:
                columns[f"{corpus}{', hard kinds' if hard else ''}"] = wrong
    print(f"\n| wrong cutouts: caught of all | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for fault in FAULTS:
        print(
            f"| {fault} | {' | '.join(_caught(e for e in wrong if e.fault == fault) for wrong in columns.values())} |"
        )
    print(f"| **all** | {' | '.join(_caught(wrong) for wrong in columns.values())} |")


def _caught(wrong: Iterable[Result]) -> str:
    count = Counter(bool(each.reason) for each in wrong)
    return f"{count[True]} of {count.total()} ({count[True] / max(1, count.total()):.0%})"


def _show_cost() -> None:
    for size in ((500, 333), (2000, 1333), (6000, 4000)):
        case = next(drawn(1, 0))
        sent, answer = (each.resize(size, Image.Resampling.BICUBIC) for each in (case.sent, case.answer))
        took = []
        for _ in range(5):
            began = time.process_time()
            measure(sent, answer)
            took.append(time.process_time() - began)
        print(f"\n{size[0]}×{size[1]}: {min(took) * 1000:.0f} ms of processor time")


if __name__ == "__main__":
    main()
