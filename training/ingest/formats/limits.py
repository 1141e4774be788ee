"""How long a row may be."""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from training.errors import DataError

LONGER_ROWS: Final = "expected shorter rows, or a greater source.max_row_bytes"


def check_lengths(file: object, table: pa.Table, longest_row: int, rows_before: int) -> None:
    """
    Refuse a row whose texts are longer than that together.

    Parameters
    ----------
    file : object
        What the sentence calls the file.
    table : Table
    longest_row : int
        Most bytes of a row.
    rows_before : int
        Rows of the file that came before this table.

    Raises
    ------
    DataError
    """
    if table.nbytes <= longest_row:
        return
    texts = {name: table.column(name) for name in table.column_names if _is_text(table.schema.field(name).type)}
    lengths = {name: pc.fill_null(pc.binary_length(column), 0).to_numpy() for name, column in texts.items()}
    total = np.zeros(table.num_rows, np.int64)
    for length in lengths.values():
        total += length
    row = int(total.argmax())
    if total[row] > longest_row:
        widest = max(lengths, key=lambda name: lengths[name][row])
        raise DataError(
            f"{file} has {total[row]} bytes in row {rows_before + row + 1}, {lengths[widest][row]} of them in column "
            f"{widest!r}, more than {longest_row}; {LONGER_ROWS}"
        )


def _is_text(kind: pa.DataType) -> bool:
    return any(is_it(kind) for is_it in (pa.types.is_string, pa.types.is_large_string))
