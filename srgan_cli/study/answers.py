"""The files that a study's page saves -> the ratings of each person, and their problems."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srgan_cli.errors import DatasetError
from srgan_cli.files import read_regular

FORMAT = "srgan-study-1"
RATINGS = range(1, 6)
MAX_BYTES = 1 << 26  # of a file


@dataclass(frozen=True)
class Trial:
    """An image by a method, which is rated."""

    image: str
    method: str


@dataclass(frozen=True, eq=False)
class Result:
    """One file. checksum_matches: it is as the page saved it."""

    path: Path
    study: str
    rater: str
    saved: str
    methods: tuple[str, ...]
    images: tuple[str, ...]
    ratings: Mapping[Trial, int]
    checksum_matches: bool


@dataclass(frozen=True, eq=False)
class Results:
    """One result for each rater, all of one study.

    notes: incomplete, changed and duplicate files. rejected: why other files are left out.
    """

    results: tuple[Result, ...]
    notes: tuple[str, ...]
    rejected: tuple[str, ...]


def read_results(paths: Sequence[Path]) -> Results:
    """Files that cannot be used or repeat another are left out, and named.

    Raises DatasetError if none is left, or if they are of different studies.
    """
    read: list[Result] = []
    rejected: list[str] = []
    for path in paths:
        try:
            read.append(read_result(path))
        except DatasetError as error:
            rejected.append(str(error))
    if not read:
        raise DatasetError("; ".join(rejected) or "no results to score; name the raters' files")
    _check_one_study(read)
    notes: list[str] = []
    kept = _one_per_rater(read, notes)
    notes += [note for result in kept for note in _warnings(result)]
    return Results(tuple(kept), tuple(notes), tuple(rejected))


def read_result(path: Path) -> Result:
    """Raises DatasetError saying what in the file is not as the page writes it."""
    try:
        data = json.loads(read_regular(path, MAX_BYTES).decode("utf-8"))
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path} is not JSON ({error}); save it again from the page") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise DatasetError(f"{path} is not a result of a study page")
    return _result(path, data)


def checksum(study: str, rater: str, ratings: Mapping[Trial, int]) -> int:
    """FNV-1a of what is scored, as the page computes it: finds slips, not forgers."""
    words = [study, rater]
    for trial, rating in ratings.items():
        words += [trial.image, trial.method, str(rating)]
    value = 0x811C9DC5
    for byte in "\n".join(words).encode("utf-8", "replace"):
        value = (value ^ byte) * 0x01000193 % 2**32
    return value


def _result(path: Path, data: Mapping[str, Any]) -> Result:
    texts = _field(path, data, ("study", "rater", "saved"), lambda value: isinstance(value, str))
    names = _field(path, data, ("methods", "pictures"), _is_names)
    rows = _field(path, data, ("ratings",), lambda value: isinstance(value, list))["ratings"]
    ratings = _ratings(path, rows, names)
    checksum_matches = data.get("checksum") == checksum(texts["study"], texts["rater"], ratings)
    methods, images = tuple(names["methods"]), tuple(names["pictures"])
    return Result(
        path,
        **texts,
        methods=methods,
        images=images,
        ratings=ratings,
        checksum_matches=checksum_matches,
    )


def _field(
    path: Path, data: Mapping[str, Any], names: Sequence[str], fits: Callable[[Any], bool]
) -> dict[str, Any]:
    for name in names:
        if not fits(data.get(name)):
            raise DatasetError(f'{path}: "{name}" is missing or not as the page writes it')
    return {name: data[name] for name in names}


def _is_names(value: object) -> bool:
    """A list of different strings."""
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        return False
    return bool(value) and len(set(value)) == len(value)


def _ratings(path: Path, rows: list[Any], names: Mapping[str, list[str]]) -> dict[Trial, int]:
    ratings: dict[Trial, int] = {}
    for row in rows:
        trial, rating = _rating(path, row)
        if trial.image not in names["pictures"] or trial.method not in names["methods"]:
            raise DatasetError(f"{path}: {trial.image} by {trial.method} is not of its study")
        if trial in ratings:
            raise DatasetError(f"{path}: {trial.image} by {trial.method} is rated twice")
        ratings[trial] = rating
    return ratings


def _rating(path: Path, row: Any) -> tuple[Trial, int]:
    match row:
        case {"picture": str(image), "method": str(method), "rating": int(rating)} if (
            rating in RATINGS and not isinstance(rating, bool)
        ):
            return Trial(image, method), rating
    raise DatasetError(f"{path}: {json.dumps(row)[:80]} is not a rating from 1 to 5")


def _check_one_study(results: Sequence[Result]) -> None:
    first = results[0]
    for result in results:
        if result.study != first.study:
            raise DatasetError(
                f"{result.path} is of another study than {first.path}; score them separately"
            )
        if (result.methods, result.images) != (first.methods, first.images):
            raise DatasetError(
                f"{result.path} lists other methods or images than {first.path}, though both are "
                "of one study; save it again from the page"
            )


def _one_per_rater(results: Sequence[Result], notes: list[str]) -> list[Result]:
    """Keep the file with most ratings of each rater; of equals the one saved last."""
    best: dict[str, Result] = {}
    for result in results:
        known = best.get(result.rater)
        if known is None:
            best[result.rater] = result
            continue
        kept, other = sorted(
            (known, result), key=lambda one: (len(one.ratings), one.saved), reverse=True
        )
        best[result.rater] = kept
        same = "a copy of" if kept.ratings == other.ratings else "by the same rater as"
        notes.append(f"left out: {other.path} is {same} {kept.path} ({result.rater})")
    return list(best.values())


def _warnings(result: Result) -> list[str]:
    count, total = len(result.ratings), len(result.methods) * len(result.images)
    notes = []
    if not result.checksum_matches:
        notes.append(f"counted, but changed since the page saved it: {result.path}")
    if count < total:
        notes.append(f"counted, but incomplete ({count} of {total} ratings): {result.path}")
    return notes
