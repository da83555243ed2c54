"""Networks as graphs of operations: each of ours stated once, and found again in other files.

ncnn pairs are read by comparing their graph with that, and written from it; ONNX files are read so.
"""
