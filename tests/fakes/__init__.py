"""In-memory adapters that keep the promises of the real ones; the suites in tests/promises prove both."""
