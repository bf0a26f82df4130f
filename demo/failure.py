"""What ends the demo early."""


class DemoError(Exception):
    """A step of the demo failed; the message says which, and what to do."""
