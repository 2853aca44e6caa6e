"""Tables as Parquet files, where pyarrow is installed."""

from __future__ import annotations

import io
from importlib.util import find_spec

from borarun.report.blocks import Plain, Table


def available() -> bool:
    """Whether pyarrow is installed."""
    return find_spec("pyarrow") is not None


def content(table: Table) -> bytes:
    """The file of a table: names of columns as in its CSV file, numbers whole, title and caption in
    the file's metadata.
    """
    import pyarrow
    from pyarrow import parquet

    names, columns = zip(*table.flat(), strict=True)
    arrays = [pyarrow.array(_of_one_type(values)) for values in columns]
    about = {"title": table.title, "caption": table.caption}
    out = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_arrays(arrays, names=list(names), metadata=about), out)
    return out.getvalue()


def _of_one_type(values: list[Plain]) -> list[Plain]:
    """Numbers and texts in one column become texts: Parquet's columns have one type."""
    if not any(isinstance(value, str) for value in values):
        is_float = any(isinstance(value, float) for value in values)
        return [float(value) if is_float and value is not None else value for value in values]
    return [value if value is None else str(value) for value in values]
