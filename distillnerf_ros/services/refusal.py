"""Why a request is not answered, as status and message."""

from distillnerf_ros.srv import QueryText

Status = QueryText.Response
"""Holder of the constants OK, NOT_READY, ..., which all services share."""


class Refused(Exception):  # noqa: N818 - a refusal is an answer
    """A request that gets a status other than OK.

    Args:
        status: One of the constants of `Status`.
        message: What is wrong and what to do.

    Attributes:
        status: The status.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
