"""Options that more than one command takes.

Those that belong together are one decorator, which hands the command one frozen value.
"""

import functools
from collections.abc import Callable
from typing import Any

import click

from srgan_cli.cli.command import OTHER, Option, option
from srgan_cli.cli.parameter_types import DEVICE, FROM_0_TO_1
from srgan_cli.settings import PRECISION_NAMES, Machine

Function = Callable[..., Any]
Decorator = Callable[[Function], Function]


def option_group(
    name: str, build: Callable[..., Any], *options: Decorator, heading: str = OTHER
) -> Decorator:
    """`options` as one decorator that hands the command `build(...)` of them, as `name`.

    heading: above these options in the help.
    """

    def decorate(command: Function) -> Function:
        names = [parameter.name for parameter in _parameters(options)]

        @functools.wraps(command)
        def with_value(*args: Any, **given: Any) -> Any:
            value = build(**{key: given.pop(key) for key in names})
            return command(*args, **given, **{name: value})

        decorated: Function = with_value
        for each in reversed(options):
            decorated = each(decorated)
        for parameter in decorated.__click_params__:  # type: ignore[attr-defined]
            if isinstance(parameter, Option) and parameter.name in names:
                parameter.heading = heading if parameter.heading == OTHER else parameter.heading
        return decorated

    return decorate


def _parameters(options: tuple[Decorator, ...]) -> list[click.Parameter]:
    def empty() -> None: ...

    for each in options:
        each(empty)
    return empty.__click_params__  # type: ignore[attr-defined]


def denoise_option(name: str = "denoise", *, multiple: bool = False) -> Decorator:
    return option(
        "--denoise 0-1",
        "0 keep, 1 remove grain; repeatable" if multiple else "0 keep grain, 1 remove it",
        name=name,
        aliases=["-dn", "--denoise_strength"],
        multiple=multiple,
        type=FROM_0_TO_1,
        show_default="own" if multiple else "the model's",
    )


device_option = option(
    "--device NAME",
    "cpu, cuda, mps, cuda:0,cuda:1",
    aliases=["-g"],
    type=DEVICE,
    envvar="SRGAN_DEVICE",
    default=Machine.device,
    heading="Machine",
)


def precision_option(default: str, names: tuple[str, ...] = PRECISION_NAMES) -> Decorator:
    return option(
        "--precision NAME",
        f"{', '.join(names[:-1])} or {names[-1]}",
        type=click.Choice(names),
        envvar="SRGAN_PRECISION",
        default=default,
        heading="Machine",
    )


json_option = option("--json", "Print JSON lines instead of a table", name="as_json", is_flag=True)
