"""What players told, kept: a journal that survives the process, then Parquet by the hour."""
