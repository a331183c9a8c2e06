"""The log as a folder of Parquet files: what `tiercel export` writes, and other tools and `tiercel ope` read.

    FOLDER/_tiercel.json                                     how far the log was exported
    FOLDER/decisions/day=2026-01-31/part-1-90000.parquet     the first 90000 exported, of that UTC day
    FOLDER/outcomes/... feedback/... standings/... alerts/...

writer.py   adds to a folder
reader.py   the events of a folder
folder.py   the layout, and the manifest
rows.py     events as rows of the five tables, and back
tables.py   the tables' schemas; the only part that needs pyarrow
"""

from tiercel.adapters.parquet_log.folder import is_export
from tiercel.adapters.parquet_log.reader import read_events
from tiercel.adapters.parquet_log.writer import ParquetArchive, writing

__all__ = ["ParquetArchive", "is_export", "read_events", "writing"]
