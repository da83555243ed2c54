"""All speeds in one command: python benchmarks/speed.py [PART...] [--quick]

What is compared runs in turns (A B A B); figures are medians, ratios those within a round. A line
"holds" or "MISSED" compares with what is promised for two CPU cores that multiply bf16. Without
PART all parts run. Let nothing else run meanwhile: the first line says how busy the machine is.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from batch_throughput import batch_throughput
from hardware_peak import hardware_peak
from image_sizes import time_by_size
from precision import precision
from report import Table, as_json, as_text, machine
from rivals import rivals
from startup import startup_times
from workload import Workload, rrdb23

from srgan_cli.device import pick_device
from srgan_cli.weights.loading import load_weights
from srgan_cli.weights.zoo import find_weights_file

GAIN, GAIN_RRDB = 2.0, 2.2


def main() -> None:
    arguments = _parse()
    about = machine(arguments.device)
    print(", ".join(f"{name} {value}" for name, value in about.items()), flush=True)
    tables = []
    for name in arguments.parts or PARTS:
        tables.append(PARTS[name](arguments))
        print("\n" + as_text(tables[-1]), flush=True)
    if arguments.json:
        found = {"machine": about, "load_after": machine(arguments.device)["load"]}
        found["tables"] = [as_json(table) for table in tables]
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"Of {', '.join(PARTS)}.")
    parser.add_argument("--quick", action="store_true", help="Small pictures, fewer of them.")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--weights", type=Path, default=find_weights_file("photo", 4, "psnr"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megapixels", type=float, help="Of the largest picture of `pixels`.")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - PARTS.keys():
        parser.error(f"there is no part {', '.join(sorted(unknown))}: {', '.join(PARTS)}")
    arguments.device = str(pick_device(arguments.device))
    return arguments


def _workload(arguments: argparse.Namespace) -> Workload:
    weights = load_weights(arguments.weights)
    return Workload(weights, arguments.device, arguments.rounds, arguments.quick)


def _rivals(arguments: argparse.Namespace) -> Table:
    return rivals(_workload(arguments), arguments.weights.stem, GAIN)


def _rrdb(arguments: argparse.Namespace) -> Table:
    """In minutes each: few rounds."""
    rounds = max(1, arguments.rounds // 3)
    workload = replace(_workload(arguments), weights=rrdb23(), rounds=rounds)
    return rivals(workload, "RRDB-23", GAIN_RRDB, others=False)


def _sizes(arguments: argparse.Namespace) -> Table:
    most = arguments.megapixels or (1.0 if arguments.quick else 50.0)
    return time_by_size(_workload(arguments), arguments.weights, most)


PARTS: Mapping[str, Callable[[argparse.Namespace], Table]] = {
    "rivals": _rivals,
    "rrdb": _rrdb,
    "peak": lambda arguments: hardware_peak(_workload(arguments)),
    "sizes": _sizes,
    "batch": lambda arguments: batch_throughput(_workload(arguments)),
    "precision": lambda arguments: precision(_workload(arguments)),
    "startup": lambda arguments: startup_times(arguments.rounds),
}

if __name__ == "__main__":
    main()
