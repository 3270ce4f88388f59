"""The local mailbox: as a reader of cards, as a server, and as a page in a real browser."""
