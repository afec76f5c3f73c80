"""The processor, and which of its instruction sets speed up neural networks."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Processor:
    """A processor as Linux describes it; all fields are empty on other systems.

    Attributes:
        vendor: for example GenuineIntel or AuthenticAMD; "" on ARM.
        model: the name of the product.
        flags: instruction sets, as the kernel names them.
    """

    vendor: str = ""
    model: str = ""
    flags: frozenset[str] = frozenset()

    @property
    def is_intel(self) -> bool:
        """Whether it is from Intel: the OpenVINO plug-in supports no other."""
        return self.vendor == "GenuineIntel"

    @property
    def is_x86(self) -> bool:
        """Whether it is an x86 processor: only these have a vendor string."""
        return bool(self.vendor)

    def openvino_gain(self) -> str:
        """Returns how much faster OpenVINO is on this processor.

        Measured with SSD-ResNet34. On a Xeon with AMX: 2371 ms with the CPU provider, 613 ms in BF16, 366 ms in INT8.
        On an EPYC with AVX-512: 1896 ms, 928 ms in BF16, 1768 ms in FP32; YOLOX-nano is not faster there.
        """
        fast = [name for name, flags in (("BF16", _BF16), ("INT8", _INT8)) if flags & self.flags]
        if not fast:
            return "detection is sometimes faster"
        how = "several times faster" if _AMX & self.flags else "faster"
        return f"large networks run {how} in {' and '.join(fast)} than with cpu"

    def arithmetic(self) -> str:
        """Returns the vector widths and number formats that it computes fast.

        >>> Processor("GenuineIntel", flags=frozenset({"avx2", "avx512f", "avx512_vnni", "amx_bf16"})).arithmetic()
        'AVX-512, VNNI (INT8 is fast), AMX (BF16 is fast)'
        """
        parts = [next((text for flag, text in _WIDTHS if flag in self.flags), "no SIMD known")]
        parts += [text for flags, text in _FORMATS if flags & self.flags]
        return ", ".join(parts)


_AMX = frozenset({"amx_bf16", "amx_int8"})
_BF16 = frozenset({"amx_bf16", "avx512_bf16"})
_INT8 = frozenset({"amx_int8", "avx512_vnni", "avx_vnni"})

_WIDTHS = (("avx512f", "AVX-512"), ("avx2", "AVX2"), ("sve", "SVE"), ("asimd", "NEON"))
_FORMATS = (
    (frozenset({"amx_int8"}), "AMX (INT8 is very fast)"),
    (frozenset({"avx512_vnni", "avx_vnni"}), "VNNI (INT8 is fast)"),
    (frozenset({"i8mm", "asimddp"}), "dot products (INT8 is fast)"),
    (frozenset({"amx_bf16"}), "AMX (BF16 is fast)"),
    (frozenset({"avx512_bf16", "bf16"}), "BF16 instructions"),
)


def read_processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> Processor:
    """Returns the first processor listed; without a list, only the name that Python reports."""
    try:
        text = cpuinfo.read_text(errors="replace")
    except OSError:
        return Processor(model=platform.processor())
    first = {}
    for line in text.partition("\n\n")[0].splitlines():
        key, _, value = line.partition(":")
        first[key.strip()] = value.strip()
    flags = frozenset((first.get("flags") or first.get("Features") or "").split())
    return Processor(first.get("vendor_id", ""), first.get("model name", ""), flags)
