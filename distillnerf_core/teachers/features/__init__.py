"""Dense image features of foundation models as training targets: extraction, compression and a cache on disk."""
