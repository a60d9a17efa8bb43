"""Tables of events in parquet files: the same columns as in a CSV, values of any type."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from acoustic_event_prediction.corpus.findings import FileProblem
from acoustic_event_prediction.corpus.tables import (
    EVENT_COLUMNS,
    OPTIONAL_COLUMNS,
    Annotation,
    annotation,
    find_columns,
)


def read_parquet_annotations(path: Path) -> list[Annotation]:
    """Return the rows of a parquet file; `line` is the row's number, from 1.

    Only columns of events are read. What is missing is an empty text, or a time of NaN.

    Raises:
        FileProblem: no parquet file, or a column is missing.
    """
    try:
        with pq.ParquetFile(path) as file:
            header = file.schema_arrow.names
            places = find_columns(header, EVENT_COLUMNS, OPTIONAL_COLUMNS)
            table = file.read(columns=[header[place] for place in places.values()])
        columns = [table.column(header[place]).to_pylist() for place in places.values()]
    except (pa.ArrowException, OSError, ArithmeticError, ValueError, KeyError) as error:
        # Values are decoded last: text that is no UTF-8 is found there, as are two equal columns.
        raise FileProblem(f"is no parquet file that can be read ({error})") from error
    return [
        annotation(
            line,
            {
                field: "" if value is None else str(value).strip()
                for field, value in zip(places, row, strict=True)
            },
        )
        for line, row in enumerate(zip(*columns, strict=True), start=1)
    ]
