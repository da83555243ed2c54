"""`srgan interp`."""

from pathlib import Path

import click

from srgan_cli.cli.options import weights_file


@click.command("interp")
@click.argument("psnr", type=weights_file)
@click.argument("gan", type=weights_file)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The blended network.",
)
@click.option(
    "--alpha", type=click.FloatRange(0, 1), default=0.8, help="From 0, all PSNR, to 1, all GAN."
)
def interp_command(psnr: Path, gan: Path, output: Path, alpha: float) -> None:
    """Blend a faithful and a vivid network, weight by weight, into one."""
    from srgan_cli.weights import blend, read_weights, write_weights

    write_weights(blend(read_weights(psnr), read_weights(gan), alpha), output)
    click.echo(f"{psnr} + {gan} -> {output}", err=True)
