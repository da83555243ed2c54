"""Pictures in files: the only room that knows codecs."""

import os

# OpenCV reads these once, when it is imported. Sizes are refused by `max_pixels` before any codec
# decodes, so OpenCV's own fixed limits would only stand in the way of a larger `max_pixels`.
for _name, _bits in (("PIXELS", 44), ("WIDTH", 31), ("HEIGHT", 31)):
    os.environ.setdefault(f"OPENCV_IO_MAX_IMAGE_{_name}", str(2**_bits - 1))
