"""The command ``borarun``, also as ``python -m borarun``."""

from __future__ import annotations

import gc

from borarun.run.interrupts import EXIT_CODE, leave, listening

WHILE_LOADING = 100_000
"""Objects made between two searches for garbage: hundreds of classes are made, and none dies."""


def main() -> None:
    """Listen for requests to end while the rest is loaded, then run the command line."""
    try:
        with listening():
            usual = gc.get_threshold()
            gc.set_threshold(WHILE_LOADING)
            from borarun.cli import main as run

            gc.set_threshold(*usual)
            gc.freeze()
            run()
    except KeyboardInterrupt:
        leave(EXIT_CODE)
    except SystemExit as ended:
        # Python itself would end by SIGINT where the request came while it ran code of a text.
        if ended.code == EXIT_CODE:
            leave(EXIT_CODE)
        raise


if __name__ == "__main__":
    main()
