"""How fast tables are read: ``python -m benchmarks.tables``."""
