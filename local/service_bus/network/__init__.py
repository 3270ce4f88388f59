"""Connections, sessions and links: what turns bytes into calls of the broker, and its answers into bytes."""
