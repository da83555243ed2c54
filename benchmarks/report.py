"""What a benchmark found, as text and as JSON, and the machine it was found on."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8")
"""Of a CPU: what decides how fast it multiplies."""

Figure = float | str


@dataclass(frozen=True)
class Check:
    """A figure that is promised. Machines other than the promise's may miss it."""

    promise: str
    reached: float
    least: float | None = None
    most: float | None = None

    @property
    def holds(self) -> bool:
        above = self.least is None or self.reached >= self.least
        return above and (self.most is None or self.reached <= self.most)


@dataclass(frozen=True)
class Table:
    """rows: name -> column -> figure; a column's name says the unit."""

    title: str
    rows: Mapping[str, Mapping[str, Figure]]
    checks: Sequence[Check] = field(default_factory=tuple)


def as_text(table: Table) -> str:
    columns = list(dict.fromkeys(name for row in table.rows.values() for name in row))
    lines = [["", *columns]]
    for name, row in table.rows.items():
        lines.append([name, *(_shown(row.get(column, "")) for column in columns)])
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns) + 1)]
    text = [table.title, *(_aligned(line, widths) for line in lines)]
    return "\n".join([*text, *(_verdict(check) for check in table.checks)])


def _shown(figure: Figure) -> str:
    if isinstance(figure, str):
        return figure
    return f"{figure:.0f}" if abs(figure) >= 1000 else f"{figure:.3g}"


def _aligned(words: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(words, widths, strict=True)
    cells = [first[0].ljust(first[1]), *(word.rjust(width) for word, width in others)]
    return "  " + "  ".join(cells).rstrip()


def _verdict(check: Check) -> str:
    return f"  {'holds ' if check.holds else 'MISSED'}  {check.promise}: {check.reached:.3g}"


def as_json(table: Table) -> dict[str, object]:
    checks = [
        {"promise": one.promise, "reached": one.reached, "holds": one.holds} for one in table.checks
    ]
    return {"title": table.title, "rows": table.rows, "checks": checks}


def machine(device: str) -> dict[str, object]:
    """What the figures depend on; `load` is how many processes ran in the last minute."""
    model, flags = _processor()
    about: dict[str, object] = {
        "cpu": model,
        "flags": [flag for flag in FLAGS if flag in flags],
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }
    if device.startswith("cuda"):
        about["gpu"] = torch.cuda.get_device_name(device)
    return about


def _processor() -> tuple[str, set[str]]:
    """Its name, and its flags where the system tells them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor(), set()
    named = dict(line.split(":", 1) for line in lines if ":" in line)
    facts = {name.strip(): value.strip() for name, value in named.items()}
    return facts.get("model name", platform.machine()), set(facts.get("flags", "").split())
