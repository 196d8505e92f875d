"""Child processes that decode, and what becomes of those that do not come back."""

import ctypes
import os
import resource
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from PIL import Image

from bg_pipeline.errors import ItemBlocked, ItemUnreadable
from bg_pipeline.imaging.pictures import prepare
from bg_pipeline.imaging.workers import Limits, Workers, _Turns
from bg_pipeline_tests.graph import call_here
from bg_pipeline_tests.pictures import encoded, product


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def be_killed(unless: str = "") -> int:
    """As the system ends a process for lack of memory; the second time not, where a file says that it was once."""
    if unless and Path(unless).exists():
        return os.getpid()
    if unless:
        Path(unless).touch()
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def hoard() -> None:
    bytearray(Limits().memory_bytes * 2)


def dawdle() -> None:
    time.sleep(20)


def surprise() -> None:
    raise struct.error("'H' format requires 0 <= number <= 65535\nsecond line " + "x" * 1000)


def unpicklable() -> None:
    class Local(Exception):
        pass

    raise Local(threading.Lock())


def threads_of_numpy() -> int:
    lines = Path("/proc/self/maps").read_text().splitlines()
    library = next(line.split()[-1] for line in lines if "openblas" in line)
    return int(ctypes.CDLL(library).scipy_openblas_get_num_threads64_())


def environment() -> dict[str, str]:
    return dict(os.environ)


@pytest.fixture(scope="module")
def pool() -> Iterator[Workers]:
    with Workers(1) as made:
        yield made


def test_a_function_runs_in_another_process(pool: Workers) -> None:
    assert pool.call(os.getpid) != os.getpid()


_DAEMONIC = """
import os
import {library} as library
from bg_pipeline.imaging.workers import Workers

def decode(answers):
    with Workers(1) as own:
        answers.put(own.call(os.getpid) != os.getpid())

context = library.get_context("fork")
answers = context.SimpleQueue()
daemonic = context.Process(target=decode, args=(answers,), daemon=True)
daemonic.start()
daemonic.join(60)
assert daemonic.exitcode == 0
assert answers.get()
"""


@pytest.mark.parametrize("library", ["multiprocessing", "billiard"])
def test_a_daemonic_process_has_workers_too_also_one_of_celery(library: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _DAEMONIC.format(library=library)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("function", "said"), [(crash, "crash"), (hoard, "MiB")])
def test_a_worker_that_dies_costs_its_picture_and_nothing_else(pool: Workers, function: object, said: str) -> None:
    with pytest.raises(ItemUnreadable, match=said):
        pool.call(function)  # type: ignore[arg-type]
    assert pool.call(prepare, product(1), 100).width_px == 48


@pytest.mark.parametrize("function", [surprise, unpicklable])
@pytest.mark.parametrize("here", [True, False])
def test_whatever_a_library_raises_is_the_failure_of_its_picture(
    pool: Workers, function: Callable[[], None], here: bool
) -> None:
    """In the tests' own process too, so that no fake is more patient than a worker."""
    with pytest.raises(ItemUnreadable, match=r"cannot be processed: (error: 'H' format requires|Local)") as caught:
        (call_here if here else pool.call)(function)
    assert len(str(caught.value)) < 250
    assert "\n" not in str(caught.value)


def test_a_picture_whose_worker_was_killed_once_gets_another_try(pool: Workers, tmp_path: Path) -> None:
    assert pool.call(be_killed, f"{tmp_path}/killed") > 0


def test_a_worker_that_is_killed_even_alone_does_not_condemn_its_picture(pool: Workers) -> None:
    with pytest.raises(ItemBlocked, match="killed twice"):
        pool.call(be_killed)
    assert pool.call(prepare, product(1), 100).width_px == 48


def test_the_second_try_has_no_others_beside_it() -> None:
    turns, inside, go_on = _Turns(), threading.Event(), threading.Event()
    order: list[str] = []

    def run(name: str, turn: Callable[[], AbstractContextManager[None]]) -> None:
        with turn():
            order.append(f"{name} begins")
            inside.set()
            assert go_on.wait(30)
            order.append(f"{name} ends")

    with ThreadPoolExecutor(3) as threads:
        tasks = [threads.submit(run, "first", turns.shared)]
        assert inside.wait(30)
        tasks.append(threads.submit(run, "alone", turns.alone))
        while not turns._waiting:
            time.sleep(0.01)
        tasks.append(threads.submit(run, "third", turns.shared))
        go_on.set()
        for task in tasks:
            task.result(30)

    assert order == ["first begins", "first ends", "alone begins", "alone ends", "third begins", "third ends"]


def test_a_worker_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Limits, "timeout_s", 0.2)
    with Workers(1) as pool, pytest.raises(ItemUnreadable, match="more than"):
        pool.call(dawdle)


def test_an_error_of_the_function_comes_back_as_it_is(pool: Workers) -> None:
    with pytest.raises(ItemUnreadable, match="cannot identify"):
        pool.call(prepare, b"no picture", 100)


def test_a_worker_sees_no_secret(pool: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture that takes over its decoder finds no key there."""
    monkeypatch.setenv("BGERASER_API_KEY", "canary")
    with Workers(1) as made:
        assert made.call(environment) == {}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_numpy_starts_no_threads_in_a_worker(pool: Workers) -> None:
    """Each takes 40 MB of address space, and there would be one for each core."""
    assert pool.call(threads_of_numpy) == 1


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


kept: list[bytes] = []


def fragmented() -> float:
    """400 MB in buffers such as Pillow's, of which all but a few small ones are free at the end."""
    buffers = [b"x" * 2**22 for _ in range(100)]
    kept.extend(b"x" * 2**12 for _ in range(100))
    most = resident_mb()
    del buffers
    return most


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_gives_memory_back_after_a_large_picture(pool: Workers) -> None:
    before = pool.call(resident_mb)
    assert pool.call(fragmented) > before + 350
    assert pool.call(resident_mb) < before + 50


def page_faults() -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        b"x" * 2**23
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
def test_a_worker_takes_the_buffers_of_the_last_picture_for_the_next(pool: Workers) -> None:
    pool.call(page_faults)
    assert pool.call(page_faults) < 2**23 / resource.getpagesize()


def test_the_largest_picture_decides_what_a_worker_may_use() -> None:
    with Workers(1, Limits(max_pixels=2_000_000)) as made:
        assert made.call(prepare, encoded(Image.new("L", (2000, 1000))), 100).width_px == 100
        with pytest.raises(ItemUnreadable, match="3 megapixels, and BG_MAX_MEGAPIXELS is 2"):
            made.call(prepare, encoded(Image.new("L", (2000, 1500))), 100)
        assert made.call(resource.getrlimit, resource.RLIMIT_AS)[0] == Limits(2_000_000).memory_bytes
    small, large = Limits(2_000_000), Limits(102_000_000)
    assert (large.memory_bytes > 2 * 1.33e9, large.timeout_s > small.timeout_s) == (True, True)
