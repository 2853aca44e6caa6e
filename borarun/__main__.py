"""The command ``borarun``, also as ``python -m borarun``."""

from __future__ import annotations

from borarun.run.interrupts import EXIT_CODE, leave, listening


def main() -> None:
    """Listen for requests to end while the rest is loaded, then run the command line."""
    try:
        with listening():
            from borarun.cli import main as run

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
