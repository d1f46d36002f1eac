"""Settings of the replay suite."""

import pytest

pytest.register_assert_rewrite("compare")
