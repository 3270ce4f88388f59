"""Specifications of the adapters that need no network."""
