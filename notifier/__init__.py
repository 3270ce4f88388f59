"""One mail to one person, once."""
