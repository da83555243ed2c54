"""Hides AVX512 and VNNI from ncnn, so that it runs as on a processor with AVX2. A script for gdb:

    ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 gdb -q -batch -x benchmarks/hide_avx512.py \\
        -ex run --args python benchmarks/speed.py rivals

PyTorch and OpenVINO are limited to AVX2 by the environment; ncnn asks the processor, and nothing
else limits it. Its module's cpuid instructions, which run once, give what is left of the answer.
"""

import re
import subprocess
from pathlib import Path

import gdb

MODULE = "/ncnn.cpython-"

LENGTH = 2
"""Of the instruction cpuid, in bytes."""

FEATURES_LEAF = 7
AVX512_EBX = sum(1 << bit for bit in (16, 17, 21, 26, 27, 28, 30, 31))
AVX512_ECX = sum(1 << bit for bit in (1, 6, 11, 12, 14))
"""Bits of AVX512 and its extensions in sub-leaf 0. edx (more of them, AMX) is cleared, and eax in
sub-leaf 1 (VNNI and bfloat16 for AVX)."""


class Question(gdb.Breakpoint):
    """Before a cpuid: which leaf and sub-leaf it asks for."""

    def __init__(self, address: int) -> None:
        super().__init__(f"*{address:#x}", internal=True)
        self.leaf = self.part = 0

    def stop(self) -> bool:
        self.leaf, self.part = read("eax"), read("ecx")
        return False


class Answer(gdb.Breakpoint):
    """Behind it: what the program gets to know."""

    def __init__(self, address: int, question: Question) -> None:
        super().__init__(f"*{address:#x}", internal=True)
        self.question = question

    def stop(self) -> bool:
        if self.question.leaf == FEATURES_LEAF and self.question.part == 0:
            write("rbx", read("ebx") & ~AVX512_EBX)
            write("rcx", read("ecx") & ~AVX512_ECX)
            write("rdx", 0)
        elif self.question.leaf == FEATURES_LEAF:
            write("rax", 0)
        return False


def read(register: str) -> int:
    return int(gdb.parse_and_eval(f"${register}")) & 0xFFFFFFFF


def write(register: str, value: int) -> None:
    gdb.execute(f"set ${register} = {value}")


def on_load(event: "gdb.NewObjFileEvent") -> None:
    name = event.new_objfile.filename
    if not name or MODULE not in name:
        return
    addresses = cpuid_addresses(name)
    base = base_address(gdb.selected_inferior().pid, name)
    for address in addresses:
        Answer(base + address + LENGTH, Question(base + address))
    print(f"{len(addresses)} cpuid instructions of {Path(name).name} hide AVX512")


def cpuid_addresses(name: str) -> list[int]:
    listing = subprocess.run(["objdump", "-d", name], capture_output=True, text=True, check=True)
    found = re.findall(r"^\s*([0-9a-f]+):.*\bcpuid\b", listing.stdout, re.MULTILINE)
    return [int(address, 16) for address in found]


def base_address(process: int, name: str) -> int:
    lines = Path(f"/proc/{process}/maps").read_text().splitlines()
    return next(int(line.split("-")[0], 16) for line in lines if name in line)


gdb.events.new_objfile.connect(on_load)
