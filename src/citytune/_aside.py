"""Do one thing aside, in a thread of its own, while another is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Result = TypeVar("Result")


@contextmanager
def aside(
    work: Callable[[Callable[[], None]], Result], *, leave: int = 0
) -> Iterator[Future[Result]]:
    """Let `work` go on in another thread, on one core alone, while the block is done.

    What it gives is had from the future; a fault in it is raised there. If the block fails, or is
    interrupted, the work ends as soon as it asks whether it is to go on.

    Args:
        work: Called with what it is to call now and then to ask that.
        leave: Cores that torch does not use in the block, for the work; one is always used. Where
            threads wait for each other and one of them for a core, all of them wait.
    """
    import torch

    threads, stopped = torch.get_num_threads(), False

    def goes_on() -> None:
        if stopped:
            raise InterruptedError

    pool = ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,))
    try:
        with pool:
            try:
                torch.set_num_threads(max(1, threads - leave))
                yield pool.submit(work, goes_on)
            except BaseException:
                stopped = True
                raise
    finally:
        torch.set_num_threads(threads)
