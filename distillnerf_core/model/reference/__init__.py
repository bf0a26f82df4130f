"""The published network and its weights."""

from distillnerf_core.model.reference.conversion import from_state_dict as from_state_dict
