"""Keeps freed memory in the process instead of giving it back to the system.

XLA on a CPU takes fresh memory for the temporaries of each step. By default glibc
maps and unmaps the larger blocks, so that each step pays a page fault for every 4 KB
it writes.
"""

import ctypes
import platform

M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8  # as in glibc's malloc.h

# The same for a process that is to be started: glibc reads them, others do not.
VARIABLES = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**63 - 1),
}


def keep_freed_memory() -> None:
    """Asks glibc to serve all sizes from one heap that only grows; elsewhere, nothing.

    One heap, since those of further threads give memory back whatever they are asked.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(M_ARENA_MAX, 1)
    libc.mallopt(M_MMAP_MAX, 0)
    libc.mallopt(M_TRIM_THRESHOLD, -1)  # the largest size: never
