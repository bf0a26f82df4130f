"""Pictures of perception results that a person wants to look at."""
