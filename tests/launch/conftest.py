"""What tests of several pages share."""

from tests.chromium import browser

__all__ = ["browser"]
