"""The command for access owners and ops."""
