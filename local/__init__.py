"""A tenant on your laptop: the emulators, and the host, that `make demo` starts. Never deployed."""
