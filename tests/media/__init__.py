"""Tests of the media plane."""

import pytest

# test classes that are inherited from: their asserts explain themselves too
pytest.register_assert_rewrite("tests.media.plane_behaviour")
