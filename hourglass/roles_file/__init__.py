"""The roles file: read with its places, checked as a whole, resolved to object ids, compared with what is applied."""
