"""Published values that results are set beside: the model of their files, and the files of the
materials that borarun ships.
"""

from borarun.published.model import (
    RECOMMENDED,
    Definition,
    Number,
    Published,
    PublishedFile,
    Source,
    Statistics,
    published_schema,
    read_published,
    shipped,
)

__all__ = [
    "RECOMMENDED",
    "Definition",
    "Number",
    "Published",
    "PublishedFile",
    "Source",
    "Statistics",
    "published_schema",
    "read_published",
    "shipped",
]
