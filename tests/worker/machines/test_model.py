"""What an account's quota leaves of a size; which providers there are."""

from __future__ import annotations

import pytest

from worker.machines.model import CloudQuota, MachineSize, QuotaUse
from worker.machines.providers.base import ProviderRefused, open_provider

SIZE = MachineSize("c4", cores=4, memory_gb=16)


def test_the_scarcest_resource_says_how_many_more_there_may_be() -> None:
    quota = CloudQuota(machines=QuotaUse(2, 10), cores=QuotaUse(8, 20), memory_gb=QuotaUse(16, 100))
    assert quota.room_for(SIZE) == 3  # 12 cores
    assert quota.used_pct == 40


def test_an_account_without_limits_says_none_and_an_overdrawn_one_says_no_more() -> None:
    assert CloudQuota().room_for(SIZE) is None
    assert CloudQuota(cores=QuotaUse(24, 20)).room_for(SIZE) == 0


def test_a_provider_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(ProviderRefused, match="provider moon: kind is 'tape'; there are openstack, ec2"):
        open_provider("tape", "moon", {}, "fleet")
