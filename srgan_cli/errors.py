"""What can go wrong that the user can put right.

SrganError
├── ImageError      a picture cannot be read or written
├── WeightsError    a weights file is missing, damaged, or unfit for the request
├── DatasetError    a folder of pictures, or the results of a study, is unfit
├── OptionError     options that make no sense together
├── DeviceError     a device is missing, or its memory does not suffice
└── TrainingError   a run that cannot go on
"""


class SrganError(Exception):
    """Shown to the user as one line, without a traceback."""


class ImageError(SrganError): ...


class WeightsError(SrganError): ...


class DatasetError(SrganError): ...


class OptionError(SrganError): ...


class DeviceError(SrganError): ...


class TrainingError(SrganError): ...
