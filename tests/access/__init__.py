"""The rules, as specifications: Ada asks, Bo approves, Cy is a stranger."""
