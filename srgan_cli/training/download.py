"""Download of torchvision's VGG19, on request, once."""

import hashlib
import urllib.request
from pathlib import Path
from typing import BinaryIO
from urllib.error import URLError

from srgan_cli.errors import WeightsError
from srgan_cli.files import atomic_write, open_regular, read_regular
from srgan_cli.folders import cache_folder

VGG19 = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
"""Its name ends in the first digits of its SHA-256, as torch's hub has it."""

CHUNK = 1 << 20
DIGEST = 64
"""Characters of a SHA-256."""


def downloaded_vgg() -> Path:
    """The file in the user's cache, fetched if it is not there yet."""
    return download(VGG19, cache_folder())


def download(url: str, folder: Path) -> Path:
    """`url`'s file in `folder`; WeightsError if it cannot be fetched or its checksum is wrong.

    The name ends in -XXXXXXXX.suffix, the beginning of its SHA-256. All of that is recorded beside
    it and checked at each use; a file that has changed is fetched again.
    """
    name = url.rsplit("/", 1)[-1]
    target = folder / name
    if _is_as_recorded(target):
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(target, WeightsError) as file:
        try:
            digest = _fetch(url, file)
        except (URLError, TimeoutError, ConnectionError) as error:
            raise WeightsError(
                f"{url} cannot be fetched ({error}): fetch it elsewhere and name it with --vgg FILE"
            ) from error
        if not _fits_name(target, digest):
            raise WeightsError(f"{url} is not what it should be: its SHA-256 is {digest}")
    _record(target, digest)
    return target


def _is_as_recorded(target: Path) -> bool:
    """Whether it is there, with the SHA-256 that was recorded when it was fetched.

    A file that an older version fetched has no record yet: its name says how that begins.
    """
    try:
        digest = _digest_of(target)
    except OSError:
        return False
    try:
        return read_regular(_record_of(target), DIGEST).decode() == digest
    except FileNotFoundError:
        if fits := _fits_name(target, digest):
            _record(target, digest)
        return fits
    except (OSError, ValueError):
        return False


def _digest_of(path: Path) -> str:
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _fits_name(target: Path, digest: str) -> bool:
    return digest.startswith(target.stem.rsplit("-", 1)[-1])


def _record(target: Path, digest: str) -> None:
    with atomic_write(_record_of(target), WeightsError) as file:
        file.write(digest.encode())


def _record_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.sha256")


def _fetch(url: str, file: BinaryIO) -> str:
    """SHA-256 of what was written."""
    digest = hashlib.sha256()
    with urllib.request.urlopen(url, timeout=60) as answer:
        while chunk := answer.read(CHUNK):
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()
