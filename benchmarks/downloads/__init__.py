"""How fast, and with how much memory, files are fetched: ``python -m benchmarks.downloads``."""
