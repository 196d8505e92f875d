"""
What `BG_SUSPICIOUS=next` buys: an engine cuts first, and what the checks find suspicious goes to a paid account.

    python -m bg_pipeline_tests.benchmarks.passed_on [--pictures FOLDER] [--model isnet.onnx]

Pictures and IoU as in `benchmarks.engines`. `published` are the engine's results that pass the checks.
"""

import argparse
import tempfile
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from bg_pipeline.core.checks import CheckLimits
from bg_pipeline.imaging.pictures import prepare, validate_answer
from bg_pipeline.vendors.local.engine import GrabCutEngine
from bg_pipeline.vendors.rembg.engine import RembgEngine
from bg_pipeline_tests.adapters.clients import request
from bg_pipeline_tests.benchmarks.engines import KINDS, Sample, generated, iou, of_folder
from bg_pipeline_tests.graph import call_here
from bg_pipeline_tests.pictures import opened
from bg_pipeline_tests.weights import u2netp

SIDE_PX = 2500


class Judged(NamedTuple):
    """The engine's result for one sample."""

    sample: Sample
    iou: float
    suspicion: str


def judge(engine: str, weights: str, samples: list[Sample]) -> list[Judged]:
    """Cut each sample as a sync does, and run the checks."""
    remover = GrabCutEngine(call_here) if engine == "GrabCut" else RembgEngine(call_here, weights)
    judged = []
    for each in samples:
        sent = prepare(each.picture, SIDE_PX)
        sendable = request((sent.width_px, sent.height_px), image=sent.image, media_type=sent.media_type)
        answer = remover.open_answer(remover.cut(sendable).answer)
        why = validate_answer(answer, sent, CheckLimits()).suspicion
        judged.append(Judged(each, iou(opened(answer), each.truth), why))
    return judged


def main() -> None:
    """Print one table for each engine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--model", type=Path, action="append", default=[], help="further weights, as ONNX files")
    options = parser.parse_args()
    samples = list(of_folder(options.pictures) if options.pictures else generated())
    with tempfile.TemporaryDirectory() as folder:
        engines = {"GrabCut": "", "u2netp": str(u2netp(Path(folder)))}
        engines |= {path.stem: str(path) for path in options.model}
        print("| engine | pictures | bought | mean IoU of all | published: mean IoU | least | below 0.8 |")
        print("|---|---|---|---|---|---|---|")
        for name, weights in engines.items():
            judged = judge(name, weights, samples)
            for kind in (*KINDS, "all"):
                _show(name, kind, [each for each in judged if kind in {"all", each.sample.kind}])
            for each in judged:
                if not each.suspicion and each.iou < 0.8:
                    print(f"<!-- published with IoU {each.iou:.2f}: {each.sample.kind}, {each.sample.name} -->")


def _show(engine: str, kind: str, judged: list[Judged]) -> None:
    if not judged:
        return
    published = [each.iou for each in judged if not each.suspicion]
    bought = len(judged) - len(published)
    figures = f"{mean(published):.2f} | {min(published):.2f}" if published else "– | –"
    print(
        f"| {engine}, {kind} | {len(judged)} | {bought} ({bought / len(judged):.0%}) | "
        f"{mean(each.iou for each in judged):.2f} | {figures} | {sum(score < 0.8 for score in published)} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
