"""
What a worker does first. Only the parent of all workers imports this module, as its first, before it forks them.

A worker that is still starting must already end by SIGTERM, by which its pool ends it: else it would find the pool's
semaphores gone, and print a traceback.
"""

import os
import signal


def leave_group() -> None:
    """Leave the process group, discard a signal that was sent to it, and let the pool end this worker by SIGTERM."""
    os.setpgrp()
    ended_by_pool = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, ended_by_pool)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


# Else numpy starts a thread for each core, and each takes 40 MB of address space.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.register_at_fork(after_in_child=leave_group)
