"""Compiles the Numba kernels: one decorator, one private cache, one list of all kernels."""

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, overload

import numba
from numba.core.compiler import Compiler, Flags

from streamdet.cache import private_dir

F = TypeVar("F", bound=Callable[..., Any])

KERNELS: list[Any] = []
"""Every dispatcher that `kernel` created, so that a test can prove that nothing compiles after the warm-up."""

_MIN_FREE_BYTES = 64 << 20
"""On the disk; all kernels together take about 30 MB."""
_MAX_UNUSED_S = 30 * 24 * 3600


def _fingerprint() -> str:
    """Returns a name for the current source of all kernels.

    Numba recompiles a kernel when its own file changes, but not when a kernel that it calls changes in another file.
    """
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        source = path.read_bytes()
        if b"from streamdet.kernels import" in source:
            digest.update(source)
    return digest.hexdigest()[:16]


def _cache_dir() -> Path | None:
    """Returns the folder for the compiled code of these kernels; deletes other folders that were unused for a month."""
    folder = private_dir("numba")  # private, because Numba unpickles its content
    if folder is None or shutil.disk_usage(folder).free < _MIN_FREE_BYTES:  # Numba ends the run if the disk is full
        return None
    own = folder / _fingerprint()
    with contextlib.suppress(OSError):  # another process may be cleaning up too
        if own.exists():
            os.utime(own)
        for other in folder.iterdir():
            if other != own and time.time() - other.stat().st_mtime > _MAX_UNUSED_S:
                shutil.rmtree(other, ignore_errors=True)
    return own


_CACHE_DIR = _cache_dir()
_COMPILED_BEFORE = _CACHE_DIR is not None and _CACHE_DIR.exists()  # read now: Numba creates the folder for each kernel


class _NoAliasCompiler(Compiler):  # type: ignore[misc]  # Numba has no types
    """Numba's compiler with the promise that no two array arguments share memory (C's ``restrict``)."""

    def __init__(self, *args: Any) -> None:
        flags = next(a for a in args if isinstance(a, Flags))
        flags.noalias = True
        super().__init__(*args)


@overload
def kernel(function: F) -> F: ...


@overload
def kernel(*, no_alias: bool = False, contract: bool = False) -> Callable[[F], F]: ...


def kernel(function: F | None = None, *, no_alias: bool = False, contract: bool = False) -> F | Callable[[F], F]:
    """Compiles a function with Numba on its first call: without the GIL, cached on disk, with IEEE floats.

    `parallel=True` is not used: the pipeline's own threads already fill the cores, and Numba's default threading layer
    must not be entered from several threads at a time.

    Args:
        function: what to compile, if the decorator is used without arguments.
        no_alias: promises that no two array arguments share memory. Without it LLVM does not vectorize loops that look
            up numbers (the addresses of a gather cannot be checked for overlap), nor loops over many arrays. A caller
            that breaks the promise gets wrong results.
        contract: allows a product and a sum to become one fused multiply-add, rounded once instead of twice. This is
            the only deviation from IEEE rules: infinities, NaN and the order of sums stay as written.
    """

    def compile(f: F) -> F:
        saved = numba.config.CACHE_DIR
        if _CACHE_DIR is not None:
            numba.config.CACHE_DIR = str(_CACHE_DIR)  # read when the dispatcher is created, restored afterwards
        try:
            compiled = numba.njit(
                nogil=True,
                cache=_CACHE_DIR is not None,
                error_model="numpy",
                fastmath={"contract"} if contract else False,
                pipeline_class=_NoAliasCompiler if no_alias else None,
            )(f)
        finally:
            numba.config.CACHE_DIR = saved
        KERNELS.append(compiled)
        return compiled  # type: ignore[no-any-return]

    return compile if function is None else compile(function)


def compiled_before() -> bool:
    """Returns whether an earlier run, or this one, has compiled kernels. If not, the first use of each one is slow."""
    return _COMPILED_BEFORE or compilations() > 0


def compilations() -> int:
    """Returns the number of kernel signatures that this process has compiled or loaded so far."""
    return sum(len(dispatcher.signatures) for dispatcher in KERNELS)
