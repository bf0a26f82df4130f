"""The published protocols, each of which says exactly what it does."""
