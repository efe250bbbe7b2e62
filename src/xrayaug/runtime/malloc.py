"""Settings of the C library's memory allocator."""

import ctypes
import platform
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h


@cache
def keep_freed() -> None:
    """Let glibc keep large freed blocks instead of returning them to the system.

    Otherwise the kernel maps, zeroes and unmaps the memory of every large array or tensor. Results do not change.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_THRESHOLD, 1 << 30)
    libc.mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)
