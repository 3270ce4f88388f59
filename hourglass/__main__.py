"""`python -m hourglass`."""

from hourglass.cli import run

run()
