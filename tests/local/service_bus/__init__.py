"""The broker: its parts alone, and the unmodified SDK against all of it."""
