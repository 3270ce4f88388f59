"""The main job, played on the local tenant and printed while it happens: ``make demo``."""
