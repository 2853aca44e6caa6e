"""The command ``borarun``, also as ``python -m borarun``."""

from __future__ import annotations

import sys

from borarun.run.interrupts import EXIT_CODE, listening


def main() -> None:
    """Listen for requests to end while the rest is loaded, then run the command line."""
    try:
        with listening():
            from borarun.cli import main as run

            run()
    except KeyboardInterrupt:
        sys.exit(EXIT_CODE)


if __name__ == "__main__":
    main()
