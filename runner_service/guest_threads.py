"""The threads that guests run on."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

STACK_BYTES = 8 * 1024 * 1024
"""A guest that recurses for ever traps only where its stack limit lies within the thread's stack;
with 512 KiB it took the whole process down."""


@contextmanager
def guest_threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Starts `count` threads with room for a guest's stack, and ends them with the block.

    All of them start here, because a thread's stack size is set for the whole process.
    """
    started = threading.Barrier(count + 1)
    pool = ThreadPoolExecutor(count, thread_name_prefix="guest")
    before = threading.stack_size(STACK_BYTES)
    try:
        for _ in range(count):
            pool.submit(started.wait)
        started.wait()
    finally:
        threading.stack_size(before)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
