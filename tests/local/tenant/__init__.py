"""The manager of the local tenant."""
