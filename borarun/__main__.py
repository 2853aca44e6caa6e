"""``python -m borarun``."""

from borarun.cli import main

main()
