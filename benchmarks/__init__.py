"""What is measured: how fast, and with how much memory, files are fetched."""
