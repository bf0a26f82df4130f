"""The published network as variants of our own modules."""
