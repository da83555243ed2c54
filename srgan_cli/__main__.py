"""`python -m srgan_cli` is the same as `srgan`."""

from srgan_cli.cli import main

main(prog_name="srgan")
