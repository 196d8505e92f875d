"""
What `BG_SUSPICIOUS=next` buys: an engine cuts first, and what the checks find suspicious goes to a paid account.

    python -m bg_pipeline_tests.benchmarks.passed_on [--cutouts FOLDER] [--model isnet.onnx]

The pictures are those of `benchmarks.checks`, by other seeds. IoU is that of what is opaque by more than a half;
`published` are the engine's results that pass the checks.
"""

import argparse
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import numpy as np
from PIL import Image

from bg_pipeline.ports.purchasing import Remover
from bg_pipeline.vendors.local.engine import GrabCutEngine, grabcut
from bg_pipeline.vendors.rembg.engine import RembgEngine
from bg_pipeline.vendors.rembg.second import AGREE, SecondOpinion
from bg_pipeline_tests.adapters.clients import request
from bg_pipeline_tests.corpus.composites import composites
from bg_pipeline_tests.corpus.drawn import Case, drawn
from bg_pipeline_tests.corpus.judging import reason
from bg_pipeline_tests.corpus.photographed import photographed
from bg_pipeline_tests.graph import call_here
from bg_pipeline_tests.pictures import encoded, opened
from bg_pipeline_tests.weights import u2netp

FIRST = 7000
"""First seed: no limit was chosen by these pictures."""


class Judged(NamedTuple):
    """The engine's result for one picture."""

    name: str
    iou: float
    suspicion: str


def judge(engine: Remover, cases: Iterable[Case]) -> list[Judged]:
    judged = []
    for case in cases:
        sent = request(case.sent.size, image=encoded(case.sent), media_type="image/png")
        reply = engine.cut(sent)
        answer = opened(engine.open_answer(reply.answer)).convert("RGBA")
        judged.append(Judged(case.name, _iou(answer, case.answer), reason(case, answer) or reply.suspicion))
    return judged


def _iou(answer: Image.Image, right: Image.Image) -> float:
    cut, truth = (np.asarray(each.getchannel("A")) > 127 for each in (answer, right))
    return float((cut & truth).sum() / max(1, (cut | truth).sum()))


def main() -> None:
    """Print one table, and what was published below 0.8."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cutouts", type=Path, help="folder of real cutouts")
    parser.add_argument("--model", type=Path, action="append", default=[], help="further weights, as ONNX files")
    options = parser.parse_args()
    corpora = {"drawn": list(drawn(64, 0, FIRST)), "photographed": list(photographed(60, FIRST))}
    if options.cutouts:
        corpora["real"] = list(composites(options.cutouts))
    with tempfile.TemporaryDirectory() as folder:
        engines: dict[str, Remover] = {"GrabCut": GrabCutEngine(call_here)}
        engines["u2netp"] = RembgEngine(call_here, str(u2netp(Path(folder))))
        engines["u2netp, and GrabCut agrees"] = SecondOpinion(engines["u2netp"], grabcut, "GrabCut", AGREE, call_here)
        engines |= {path.stem: RembgEngine(call_here, str(path)) for path in options.model}
        print("| engine, pictures | bought | mean IoU of all | published: mean IoU | least | below 0.8 |")
        print("|---|---|---|---|---|---|")
        for name, engine in engines.items():
            for corpus, cases in corpora.items():
                _show(f"{name}, {corpus}", judge(engine, cases))


def _show(title: str, judged: Sequence[Judged]) -> None:
    published = [each for each in judged if not each.suspicion]
    scores = [each.iou for each in published]
    figures = f"{mean(scores):.2f} | {min(scores):.2f}" if scores else "– | –"
    print(
        f"| {title} | {len(judged) - len(published)} of {len(judged)} | {mean(each.iou for each in judged):.2f} | "
        f"{figures} | {sum(score < 0.8 for score in scores)} |",
        flush=True,
    )
    for each in published:
        if each.iou < 0.8:
            print(f"<!-- published with IoU {each.iou:.2f}: {each.name} -->")


if __name__ == "__main__":
    main()
