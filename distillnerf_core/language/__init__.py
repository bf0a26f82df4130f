"""Text encoders, class prompts, feature compression and scoring of queries."""
