"""The published network and its weights; `conversion.from_state_dict` builds it from a checkpoint."""
