"""Errors that a person can do something about.

SrganError
├── ImageError      an image cannot be read or written
├── WeightsError    a weights file is missing, damaged, or unfit for the request
├── DatasetError    a folder of images, or the results of a study, is unfit
├── OptionError     options that make no sense together
├── DeviceError     a device's memory does not suffice
│   └── MissingDeviceError
└── TrainingError   a run that cannot go on
"""


class SrganError(Exception):
    """Shown to the user as one line, without a traceback."""


class ImageError(SrganError): ...


class WeightsError(SrganError): ...


class DatasetError(SrganError): ...


class OptionError(SrganError): ...


class DeviceError(SrganError): ...


class MissingDeviceError(DeviceError): ...


class TrainingError(SrganError): ...


def describe_error(name: object, error: Exception) -> str:
    """What to say, in one line, of the file `name` that `error` was raised for.

    An SrganError says it itself. All others mean a file that nobody foresaw, or a fault of ours.
    """
    if isinstance(error, SrganError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"{name}: needs more memory than there is"
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{name}: failed ({reason[:200]})"
