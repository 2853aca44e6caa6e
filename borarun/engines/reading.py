"""What every reader of a program's files says where one cannot be read."""

from __future__ import annotations

from pathlib import Path

from borarun.errors import ParseError


def read_bytes(file: Path) -> bytes:
    """The content of a file that a program left.

    Raises
    ------
    ParseError
        Where it cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise unreadable(file, error) from error


def unreadable(file: Path, error: OSError) -> ParseError:
    """The error of a file that cannot be read."""
    return ParseError(
        file,
        f"cannot be read ({error.strerror})",
        remedy="See the program's last lines in stderr.txt.",
    )
