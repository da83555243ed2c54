"""Published networks that circulate as ncnn pairs, told by their numbers wherever they lie."""

import hashlib
from collections.abc import Mapping

REAL_ESRGAN = {
    "origin": "Real-ESRGAN by Xintao Wang et al., https://github.com/xinntao/Real-ESRGAN",
    "license": "BSD-3-Clause",
}

NAMES = {
    "713ee713b0353afaa27976f0563a64a5043bd70b9bd8936c2e26e25ebcdbcddf": "realesrgan-x4plus",
    "fe01c269cfd10cdef8e018ab66ebe750cf79c7af4d1f9c16c737e1295229bacc": "realesrgan-x4plus-anime",
    "548a36f9c3f4ab8da56cd3b13badf23968bee207b396dad14d04b830e5f2ab2d": "realesr-animevideov3",
    "85ee266b632a765a725425ba6a5620c088c8aa2939a03063b2d83b3462724cc1": "realesr-general-x4v3",
}
"""SHA-256 of the .bin -> the name it was published under; all are Real-ESRGAN's."""


def origin_of(data: bytes) -> Mapping[str, str]:
    """Name, origin and license of the network with this .bin; empty if it is not a known one."""
    name = NAMES.get(hashlib.sha256(data).hexdigest())
    return {} if name is None else {"published as": name, **REAL_ESRGAN}
