"""The rules of just-in-time access: plain functions and values; no Azure, no clock, no environment."""
