"""How streamdet compiles its Numba kernels: one decorator, one private cache, one list of all of them."""

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
"""Every dispatcher made by `kernel`, so that a test can prove that nothing compiles after warm-up."""


_LEAST_FREE = 64 << 20
"""Bytes of the disk; all kernels together take some 30 MB."""


def _fingerprint() -> str:
    """Returns a name for the kernels as they are now.

    Numba compiles a kernel anew when its own file changes, but not when a kernel it calls, in another file, does.
    """
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        source = path.read_bytes()
        if b"from streamdet.kernels import" in source:
            digest.update(source)
    return digest.hexdigest()[:16]


def _cache_dir() -> Path | None:
    """Returns the folder of these kernels' compiled code; those of others go when nobody used them for a month."""
    folder = private_dir("numba")  # private, because Numba unpickles what it finds there
    if folder is None or shutil.disk_usage(folder).free < _LEAST_FREE:  # Numba would end the run where the disk is full
        return None
    own = folder / _fingerprint()
    with contextlib.suppress(OSError):  # another process may be tidying up too
        if own.exists():
            os.utime(own)
        for other in folder.iterdir():
            if other != own and time.time() - other.stat().st_mtime > _KEPT_S:
                shutil.rmtree(other, ignore_errors=True)
    return own


_KEPT_S = 30 * 24 * 3600
_CACHE_DIR = _cache_dir()
_COMPILED_BEFORE = _CACHE_DIR is not None and _CACHE_DIR.exists()  # asked now: Numba makes the folder for each kernel


class _Apart(Compiler):  # type: ignore[misc]  # Numba has no types
    """Numba's compiler with the promise that no two array arguments share memory (C's ``restrict``)."""

    def __init__(self, *args: Any) -> None:
        flags = next(a for a in args if isinstance(a, Flags))
        flags.noalias = True
        super().__init__(*args)


@overload
def kernel(function: F) -> F: ...


@overload
def kernel(*, apart: bool = False, contract: bool = False) -> Callable[[F], F]: ...


def kernel(function: F | None = None, *, apart: bool = False, contract: bool = False) -> F | Callable[[F], F]:
    """Compiles a function with Numba on its first call: no GIL, kept on disk between runs, IEEE floats.

    `parallel=True` is left out on purpose: the pipeline's own threads already fill the cores, and Numba's default
    threading layer may not be entered from several threads at once.

    Args:
        function: what to compile, where the decorator is used bare.
        apart: promises that what is written through one array argument is not seen through another. Without it LLVM
            does not vectorise loops that look numbers up (a gather's addresses cannot be checked for overlap), nor
            loops over many arrays. A caller that breaks the promise gets wrong results.
        contract: lets a product and a sum become one fused multiply-add, rounded once instead of twice. The one
            freedom taken from IEEE rules: infinities, NaN and the order of sums stay as written.
    """

    def compile(f: F) -> F:
        saved = numba.config.CACHE_DIR
        if _CACHE_DIR is not None:
            numba.config.CACHE_DIR = str(_CACHE_DIR)  # read while the dispatcher is made, then given back
        try:
            compiled = numba.njit(
                nogil=True,
                cache=_CACHE_DIR is not None,
                error_model="numpy",
                fastmath={"contract"} if contract else False,
                pipeline_class=_Apart if apart else None,
            )(f)
        finally:
            numba.config.CACHE_DIR = saved
        KERNELS.append(compiled)
        return compiled  # type: ignore[no-any-return]

    return compile if function is None else compile(function)


def compiled_before() -> bool:
    """Says whether an earlier run, or this one, has compiled kernels.

    Without them the first use of each takes its time.
    """
    return _COMPILED_BEFORE or compilations() > 0


def compilations() -> int:
    """Returns how many kernel signatures are compiled or loaded so far in this process."""
    return sum(len(dispatcher.signatures) for dispatcher in KERNELS)
