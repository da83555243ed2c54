"""`srgan models`."""

import json
from dataclasses import asdict, dataclass, replace

import click

from srgan_cli.cli.command import Command
from srgan_cli.cli.flags import json_option
from srgan_cli.errors import WeightsError
from srgan_cli.settings import BICUBIC
from srgan_cli.weights.zoo import Network, default_model, networks, user_folder

BICUBIC_ON_SET5 = {2: 33.68, 3: 30.41, 4: 28.43}
"""PSNR on Y in dB, as the networks' own: `srgan eval SET5/high SET5/low -m bicubic`."""


@dataclass(frozen=True)
class Row:
    """One line of the table; figures are None where they are not known."""

    model: str
    scale: int | None
    end: str
    network: str
    parameters: int | None
    set5_psnr: float | None
    folder: str


@click.command(
    "models",
    cls=Command,
    short_help="List the models that --model knows",
    examples=("srgan models", "srgan models --json"),
    notes=(
        "A weights file in your folder of models is listed by its name. "
        "NAME-xSCALE-psnr.safetensors and NAME-xSCALE-gan.safetensors are one model, NAME, with "
        "--blend. The environment variable SRGAN_WEIGHTS names another folder.",
    ),
)
@json_option
def models_command(as_json: bool) -> None:
    """List the models that --model knows: those of srgan and your own."""
    rows = [_row(network) for network in networks()]
    rows += [
        Row(BICUBIC, scale, "", "no network, any scale", None, psnr, "built in")
        for scale, psnr in BICUBIC_ON_SET5.items()
    ]
    if as_json:
        for row in rows:
            click.echo(json.dumps(asdict(row)))
        return
    _print_table(rows)
    click.echo(f"Default: {default_model()}. Your own go to {user_folder()}.", err=True)


def _row(network: Network) -> Row:
    from srgan_cli.weights.container import count_parameters
    from srgan_cli.weights.loading import load_weights

    folder = network.package or ("yours" if network.user else "shipped")
    try:
        weights = load_weights(network.path)
    except WeightsError as error:
        return Row(network.model, network.scale, "", f"unreadable: {error}", None, None, folder)
    metadata = weights.metadata
    sizes = {name: value for name, value in weights.hyperparameters.items() if name != "scale"}
    figures = metadata.figures.get("set5", {})
    return Row(
        network.model,
        metadata.scale,
        metadata.objective,
        str(replace(weights, hyperparameters=sizes)),
        count_parameters(weights),
        figures.get("psnr_y"),
        folder,
    )


def _print_table(rows: list[Row]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("model", "scale", "end", "network", box=None)
    table.add_column("parameters", justify="right")
    table.add_column("Set5 PSNR", justify="right")
    table.add_column("from")
    for row in rows:
        table.add_row(
            row.model,
            "" if row.scale is None else f"x{row.scale}",
            row.end,
            row.network,
            "" if row.parameters is None else f"{row.parameters:,}",
            "" if row.set5_psnr is None else f"{row.set5_psnr:.2f} dB",
            row.folder,
        )
    Console().print(table)
