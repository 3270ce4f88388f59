"""A request arrives: may they, on what terms? Record it; give it, or ask."""
