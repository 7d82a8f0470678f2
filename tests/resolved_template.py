"""`resolved`, under the name that tests know."""

from ops.validation.resolution import resolved

__all__ = ["resolved"]
