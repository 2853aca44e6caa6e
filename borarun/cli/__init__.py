"""The command line."""

from borarun.cli.commands import app, main

__all__ = ["app", "main"]
