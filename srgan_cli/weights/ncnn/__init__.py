"""Networks as ncnn pairs, NAME.param and NAME.bin: https://github.com/Tencent/ncnn/wiki.

The programs around realesrgan-ncnn-vulkan and Upscayl keep their models so. The ncnn library itself
is needed for neither direction.
"""
