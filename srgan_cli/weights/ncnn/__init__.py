"""Networks as ncnn pairs, NAME.param and NAME.bin: https://github.com/Tencent/ncnn/wiki.

The programs around realesrgan-ncnn-vulkan and Upscayl keep their models so. Both directions rest on
`architectures`, which states each network's graph once: a file is read by comparing its graph with
that, and written from it. The ncnn library itself is needed for neither.
"""
