"""The node's services: one function a file, answered beside the executor's thread from the newest perceived frame."""
