"""What a container, a batch system or a service manager leaves a process of the machine's memory.

https://docs.kernel.org/admin-guide/cgroup-v2.html and, for its first version, cgroup-v1/memory.rst
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MOUNTED = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


@dataclass(frozen=True)
class Version:
    """What the files of a group are called that tell of its memory."""

    folder: str
    """Below the place where groups are mounted."""
    limit: str
    usage: str
    cache: str
    """In memory.stat: of the usage, what is given up when memory runs short."""


FIRST = Version("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
SECOND = Version("", "memory.max", "memory.current", "inactive_file")


def allowed_bytes(mounted: Path = MOUNTED, own: Path = OWN) -> float:
    """What the groups of this process may still take; infinite where none limits them."""
    try:
        lines = own.read_text().splitlines()
    except OSError:  # not Linux
        return math.inf
    return min((left for line in lines for left in _left(mounted, line)), default=math.inf)


def _left(mounted: Path, line: str) -> Iterator[float]:
    """For a line like "4:memory:/service", of each group from the process's own to the root."""
    _, controllers, path = line.split(":", 2)
    version = SECOND if controllers == "" else FIRST
    if version is FIRST and "memory" not in controllers.split(","):
        return
    group = PurePosixPath(path)
    for one in (group, *group.parents):
        folder = mounted / version.folder / one.relative_to("/")
        try:
            yield _left_in(folder, version)
        except (OSError, ValueError, KeyError):  # not visible from inside a container
            continue


def _left_in(folder: Path, version: Version) -> float:
    limit = (folder / version.limit).read_text().strip()
    if limit == "max":
        return math.inf
    usage = int((folder / version.usage).read_text())
    lines = (folder / "memory.stat").read_text().splitlines()
    cache = int(dict(line.split() for line in lines)[version.cache])
    return max(0.0, int(limit) - (usage - cache))
