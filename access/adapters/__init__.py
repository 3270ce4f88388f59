"""Everything that knows Azure, Graph, HTTP, mail, the clock or the environment."""
