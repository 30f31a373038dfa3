"""What holds for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# No test asserts on wall time, on a busy machine neither.
settings.register_profile("converge", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("converge")
