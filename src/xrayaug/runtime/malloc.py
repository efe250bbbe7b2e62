"""How the C library handles memory that large arrays have left."""

import ctypes
import platform
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h


@cache
def keep_freed() -> None:
    """Ask glibc to keep large freed blocks instead of returning them to the system.

    Every large array or tensor is otherwise mapped, zeroed and unmapped again by the kernel; results are unchanged.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_THRESHOLD, 1 << 30)
    libc.mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)
