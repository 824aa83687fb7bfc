"""A Parquet file, or a folder of parts, as a table.

Values keep their types; `psi.lab.tasks.inventory` says what they are. A stored index is told from
the columns, since pandas would drop it or take it for the last one.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from psi.lab.tasks.reading import UserTable


def read_parquet(path: Path) -> UserTable:
    """The table of one file. Raises ValueError or OSError where it cannot be read."""
    # The file alone: a dataset would add columns for folders that are named key=value.
    with pq.ParquetFile(path) as file:
        return _table(file.read(), ("Parquet",))


def read_parts(folder: Path, files: Sequence[Path]) -> UserTable:
    """The table of a folder of parts, in the order of their names.

    What folders named key=value say are columns, the first ones. Raises ValueError where parts
    differ in their columns' names.
    """
    found = ds.dataset([str(file) for file in files], format="parquet")
    schemas = [part.physical_schema for part in found.get_fragments()]
    for file, schema in zip(files, schemas, strict=True):
        if odd := sorted(set(schema.names) ^ set(schemas[0].names)):
            raise ValueError(
                f"{file.name} and {files[0].name} differ in their columns: {', '.join(odd)}"
            )
    # Integers in one part and floats in another are floats.
    schema = pa.unify_schemas(schemas, promote_options="permissive")
    table = ds.dataset([str(file) for file in files], schema, format="parquet").to_table()
    sizes = [pq.read_metadata(file).num_rows for file in files]
    for key in keys_of(folder, files[0]):
        values = [keys_of(folder, file).get(key) for file in files]
        column = pa.array([v for v, n in zip(values, sizes, strict=True) for _ in range(n)])
        table = table.add_column(0, key, column)
    return _table(table, (f"Parquet, {len(files)} parts",))


def keys_of(folder: Path, file: Path) -> dict[str, str]:
    """What the folders between say of a part: {"year": "2024"} of folder/year=2024/part-0."""
    parts = file.relative_to(folder).parent.parts
    return {key: value for key, equals, value in (p.partition("=") for p in parts) if equals}


def _table(table: pa.Table, notes: tuple[str, ...]) -> UserTable:
    cells = table.to_pandas(date_as_object=False)
    labels = []
    for name in cells.index.names:
        if name is not None and str(name) not in map(str, cells.columns):
            cells[name] = cells.index.get_level_values(name)
            labels.append(str(name))
    return UserTable(cells.set_axis(pd.RangeIndex(len(cells))), notes, labels=tuple(labels))
