"""Programs to run, thin over the library."""
