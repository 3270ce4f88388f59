"""What is due? Take it back, and prove that it is gone."""
