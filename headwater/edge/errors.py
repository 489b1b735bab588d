"""
BuildError    a script cannot be built, or passes a limit of its platform
"""


class BuildError(Exception):
    """A bundle that must not be deployed."""
