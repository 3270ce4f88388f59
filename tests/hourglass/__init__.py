"""Specifications of the command: what a person types, what they see, what is stored."""
