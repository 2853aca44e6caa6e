"""Text in characters that a terminal shows and does not obey."""

from __future__ import annotations


def printable(text: str, keep: str = "") -> str:
    """Text with every other character escaped, as Python writes it: control characters, which move
    the cursor, ring or recolour, and those that turn the direction of writing.

    Parameters
    ----------
    keep : characters that stay as they are, such as the end of a line
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in keep else char.encode("unicode_escape").decode()
        for char in text
    )


def on_one_line(text: str) -> str:
    """Text of which no part looks like another line: ends of lines become blanks, all other
    characters that do not print are escaped.
    """
    return printable(" ".join(text.splitlines()))
