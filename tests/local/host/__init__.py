"""The functions host of the local tenant."""
