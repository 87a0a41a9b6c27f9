"""The line of the load tests, for the tests in virtual time."""

from loadtests.line_model import Line

__all__ = ["Line"]
