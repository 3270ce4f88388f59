"""Outlook on a laptop: an inbox in the browser that shows Adaptive Cards and presses their buttons as Microsoft would."""
