"""What README and docs/ show works: commands, Python, options, links and figures."""

import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import click
import pytest
from helpers import srgan
from PIL import Image as Pillow
from small_networks import RRDB, random_weights

from srgan_cli.cli import main
from srgan_cli.weights.container import Weights, write_weights
from srgan_cli.weights.foreign.conversion import export_foreign
from srgan_cli.weights.loading import load_weights
from srgan_cli.weights.zoo import model_names

ROOT = Path(__file__).parent.parent
WEIGHTS = ROOT / "weights"
PAGES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), WEIGHTS / "README.md"])
}
README = PAGES["README.md"]

PARSED_ONLY = {"--vgg", "--lpips", "--device", "--resume", "--val"}
"""Commands with these options need files, devices or run folders that tests do not have."""

OPTIONS_OF_TOOLS = {"--nproc-per-node", "--index-url", "--no-deps", "--dist"}
"""Of torchrun, pip and pytest."""

FOLDERS = ("photos", "holiday/lake", "run", "vivid", "models", "personal", "tests/data")


@dataclass(frozen=True)
class Shown:
    """A command in a document, and what it is said to print."""

    words: list[str]
    output: list[str]

    @property
    def is_parsed_only(self) -> bool:
        return bool(PARSED_ONLY & set(self.words))

    def cheap(self) -> list[str]:
        """The words of the command, of a training those of its dry run."""
        return [*self.words, "--dry-run"] if self.words[0] == "train" else self.words


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def shown(text: str) -> list[Shown]:
    """All srgan commands of a document, in order."""
    found: list[Shown] = []
    for language in ("console", "sh"):
        for block in blocks(text, language):
            for line in block.replace("\\\n", " ").splitlines():
                if language == "sh" or line.startswith("$ "):
                    found += [Shown(words, []) for words in commands(line.removeprefix("$ "))]
                elif found:
                    found[-1].output.append(line)
    return found


def commands(line: str) -> Iterator[list[str]]:
    """Words after `srgan` of each command in a shell line, without its redirections."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|>")
    lexer.whitespace_split = True
    words = list(lexer)
    while words:
        end = next((i for i, word in enumerate(words) if set(word) <= set("&|>")), len(words))
        command, words = words[:end], words[end + 1 :]
        if "srgan_cli" in command:  # torchrun ... -m srgan_cli
            command = ["srgan", *command[command.index("srgan_cli") + 1 :]]
        if command and command[0] == "srgan":
            yield command[1:]


@pytest.fixture
def sandbox(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    photo_file: Path,
    make_weights: Callable[..., Weights],
) -> Path:
    """A folder with what the documents name; models of other packages are tiny stand-ins."""
    folder = tmp_path / "sandbox"
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
    with Pillow.open(photo_file) as photo:
        for index in range(2):
            photo.resize((512, 512 + index)).save(folder / f"photos/{index}.jpg")
        for name in ("holiday/beach", "holiday/lake/boat"):
            photo.resize((64, 48)).save(folder / f"{name}.jpg")
        photo.resize((64, 48)).save(folder / "scan.tif")
    for name in ("photo.jpg", "tests/data/photo.jpg"):
        shutil.copy(photo_file, folder / name)
    psnr, gan = make_weights(), make_weights(seed=1, objective="gan")
    write_weights(psnr, folder / "run/psnr.safetensors")
    for name in ("run/gan", "vivid/gan", "mine", "personal/realesrgan-x4plus"):
        write_weights(gan, folder / f"{name}.safetensors")
    export_foreign(random_weights("rrdbnet", RRDB), folder / "theirs.pth", "real-esrgan")
    monkeypatch.setenv("SRGAN_WEIGHTS", str(folder / "personal"))
    monkeypatch.chdir(folder)
    return folder


def make_stand_ins(words: list[str], make_stand_in: Callable[[Path], None]) -> None:
    """For the weights files and folders of photographs that a command reads."""
    for before, word in pairwise(words):
        path = Path(word)
        if path.suffix in (".safetensors", ".pth", ".param") and before != "-o":
            if not path.exists():
                make_stand_in(path)
        elif word.startswith("photos/") and not path.suffix:
            path.mkdir(parents=True, exist_ok=True)


def parse(words: list[str]) -> None:
    """Raises click.ClickException for what the command line would refuse."""
    command = main.commands[words[0]]
    with click.Context(main, info_name="srgan", **main.context_settings) as group:
        command.make_context(words[0], list(words[1:]), group)


def without_times(text: str) -> str:
    return re.sub(r"[\d.]+ s\b", "N s", re.sub(r"\s+", " ", text))


@pytest.mark.parametrize("page", PAGES)
def test_commands_work_as_written(page: str, sandbox: Path) -> None:
    """Cheap ones are run one after the other, trainings as a dry run; the others are parsed."""

    def make_stand_in(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(sandbox / "mine.safetensors", path)

    for command in shown(PAGES[page]):
        line = shlex.join(command.words)
        make_stand_ins(command.words, make_stand_in)
        if command.is_parsed_only:
            try:
                parse(command.words)
            except click.exceptions.Exit:
                pytest.fail(f"{line}: is no command that does anything")
            except click.ClickException as error:
                pytest.fail(f"{line}: {error.format_message()}")
            continue
        result = srgan(*command.cheap())
        assert result.exit_code == 0, f"{line}: {result.output}"
        for expected in command.output:
            assert without_times(expected) in without_times(result.output), line


def test_commands_of_documents_are_found() -> None:
    found = shown(
        "```console\n$ srgan check photos/ && srgan models | head\nbeach.jpg\n```\n"
        "```sh\ntorchrun -m srgan_cli train photos/ \\\n  -o run/  # long\n```"
    )
    assert [command.words for command in found] == [
        ["check", "photos/"],
        ["models"],
        ["train", "photos/", "-o", "run/"],
    ]
    assert found[1].output == ["beach.jpg"]


def test_a_wrong_command_is_refused() -> None:
    with pytest.raises(click.ClickException):
        parse(["train", "-o", "run", "--recipe", "none"])


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(PAGES[page], "python")])
def test_python_examples_run(page: str, sandbox: Path) -> None:
    names: dict[str, object] = {}
    for example in blocks(PAGES[page], "python"):
        exec(compile(example, page, "exec"), names)


def options_in(text: str) -> set[str]:
    """Long options in code, of tables only those of the last column: others may be strangers'."""
    rows = [line.rstrip(" |").rpartition("|")[2] for line in text.splitlines() if line[:1] == "|"]
    prose = [line for line in text.splitlines() if line[:1] != "|"]
    code = re.findall(r"`([^`\n]+)`", "\n".join([*rows, *prose]))
    code = [words for words in code if not words.startswith("python ")]
    return set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", " ".join(code)))


@pytest.mark.parametrize("page", [page for page in PAGES if page != "CHANGELOG.md"])
def test_options_exist(page: str) -> None:
    known = OPTIONS_OF_TOOLS | {"--version", "--help"}
    for command in main.commands.values():
        for parameter in command.params:
            known.update([*parameter.opts, *parameter.secondary_opts])
    assert options_in(PAGES[page]) <= known


@pytest.mark.parametrize(("command", "page"), [("upscale", "upscaling"), ("train", "training")])
def test_options_are_explained(command: str, page: str) -> None:
    words = set(re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", PAGES[f"docs/{page}.md"]))
    options = [one for one in main.commands[command].params if isinstance(one, click.Option)]
    shown = [one for one in options if not one.hidden and one.name != "help"]
    assert not [one.name for one in shown if not words & {*one.opts, *one.secondary_opts}]


@pytest.mark.parametrize("page", PAGES)
def test_links_and_images_exist(page: str) -> None:
    folder = (ROOT / page).parent
    for target in re.findall(r"\]\(([^)#\s]+)", PAGES[page]):
        assert "://" in target or (folder / target).exists(), target


def test_modules_named_exist() -> None:
    """In docs/architecture.md: `weights/loading.py`, or a folder such as `images/codecs/`."""
    code = re.findall(r"`([\w/]+(?:\.py|/))`", PAGES["docs/architecture.md"])
    folders = (ROOT, ROOT / "srgan_cli")
    assert len(code) > 20
    assert not [name for name in code if not any((folder / name).exists() for folder in folders)]


def test_what_readme_links_to_is_distributed() -> None:
    settings = ConfigParser()
    settings.read(ROOT / "setup.cfg")
    patterns = " ".join(settings["options.data_files"].values()).split()
    found = {path for pattern in patterns for path in ROOT.glob(pattern)}
    linked = {ROOT / link for link in re.findall(r"\]\(([^)#\s]+)", README) if "://" not in link}
    assert linked <= found
    assert (ROOT / "docs/json.md") in found


def test_readme_is_short() -> None:
    assert README.count("\n") <= 150


def test_models_of_readme_exist(sandbox: Path) -> None:
    rows = re.findall(r"^\| `([\w-]+)` \|", README, re.MULTILINE)
    ours = {path.stem.rpartition("-x")[0] for path in WEIGHTS.glob("*.safetensors")}
    assert ours <= set(rows)
    assert set(rows) <= set(model_names())


def test_table_of_weights_is_true() -> None:
    """weights/README.md has a row for each file, with the figures that its header holds."""
    rows = dict(
        re.findall(r"^\| (\w+-x[\w-]+) \| (.+) \|$", PAGES["weights/README.md"], re.MULTILINE)
    )
    assert sorted(rows) == sorted(path.stem for path in WEIGHTS.glob("*.safetensors"))
    for name, row in rows.items():
        figures = load_weights(WEIGHTS / f"{name}.safetensors").metadata.figures
        for data in ("set5", "val"):
            psnr, ssim = figures[data]["psnr_y"], f"{figures[data]['ssim_y']:.3f}"
            assert f"{psnr:.2f} / {ssim.removeprefix('0')}" in row, name
