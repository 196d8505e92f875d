"""Two answers were swapped if each fits the other's picture better than its own."""

from bg_pipeline.core.swaps import SIDE_PX, Mismatch, Pair, swapped_with

PIXELS = SIDE_PX * SIDE_PX


def pair(sent: int, answer: int, opaque: int = PIXELS) -> Pair:
    """Grey picture and answer, of which so many pixels are opaque."""
    return Pair(bytes([sent]) * 3 * PIXELS, bytes([answer]) * 3 * PIXELS, b"\xff" * opaque + bytes(PIXELS - opaque))


def mismatch(key: str, sent: int, answer: int, opaque: int = PIXELS) -> Mismatch:
    return Mismatch(key, f"purchase of {key}", pair(sent, answer, opaque))


def test_two_answers_that_fit_each_other_were_swapped() -> None:
    other = mismatch("b", sent=200, answer=51)

    assert swapped_with(mismatch("a", sent=50, answer=201), [mismatch("c", 100, 100), other]) is other


def test_of_several_that_fit_the_best_is_chosen() -> None:
    best = mismatch("b", sent=200, answer=50)

    assert swapped_with(mismatch("a", 50, 200), [mismatch("c", 180, 70), best, mismatch("d", 170, 60)]) is best


def test_an_answer_that_fits_only_one_way_was_not_swapped() -> None:
    """The vendor sent the same answer for two pictures."""
    assert swapped_with(mismatch("a", sent=50, answer=200), [mismatch("b", sent=200, answer=200)]) is None


def test_an_answer_without_an_opaque_pixel_fits_nothing() -> None:
    assert swapped_with(mismatch("a", 50, 200, opaque=0), [mismatch("b", 200, 50)]) is None
