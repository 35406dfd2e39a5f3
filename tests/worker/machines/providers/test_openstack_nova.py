"""The provider and the whole manager over OpenStack's own Nova (`make test-clouds`)."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.nova_cloud import IMAGE, Nova
from tests.services.support import wait_until
from tests.worker.machines.providers.scene import Scene
from worker.machines.model import CloudMachine, CloudState, MachineOrder
from worker.machines.providers.base import ProviderRefused, ProviderUnavailable, QuotaRefused
from worker.machines.providers.openstack import OpenStackOptions, OpenStackProvider
from worker.queue import QueueTarget
from worker.queue.machines.machines import MachineState

USER_DATA = "#cloud-config\nruncmd: [[systemctl, start, cloud-monitor-worker]]  # ö\n"


@pytest.fixture
def cloud(nova: Nova, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenStackProvider]:
    """Without ports: Neutron is a stand-in within Nova, and no service of its own."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    options = OpenStackOptions(image=IMAGE, ports=False)
    provider = OpenStackProvider("nova", options, "f", nova.connection())
    yield provider
    for machine in provider.list().machines:
        provider.delete(machine.provider_id)
    wait_until(lambda: not provider.list().machines, "the end of all servers")


def listed(cloud: OpenStackProvider) -> dict[str, CloudMachine]:
    return {machine.name: machine for machine in cloud.list().machines}


def settled(cloud: OpenStackProvider) -> dict[str, CloudMachine]:
    wait_until(
        lambda: not any(machine.state is CloudState.BOOTING for machine in cloud.list().machines),
        "servers that are built or given up",
    )
    return listed(cloud)


def order(name: str, size: str = "m1.tiny") -> MachineOrder:
    return MachineOrder(name, "g", size, USER_DATA)


def test_a_server_is_made_once_with_its_user_data_listed_and_ended_once(
    cloud: OpenStackProvider, nova: Nova
) -> None:
    sizes = {size.name: size for size in cloud.sizes()}
    assert (sizes["m1.large"].cores, sizes["m1.large"].memory_gb, sizes["m1.large"].storage_gb) == (4, 8, 80)
    made = cloud.create(order("f-g-a"))
    assert cloud.create(order("f-g-a")) == made
    found = settled(cloud)["f-g-a"]
    assert (found.provider_id, found.group, found.state, found.size) == (
        made,
        "g",
        CloudState.RUNNING,
        "m1.tiny",
    )
    assert found.created_at is not None
    assert abs(found.created_at - time.time()) < 300
    there = nova.connection().compute.get_server(made)
    assert base64.b64decode(there.user_data).decode() == USER_DATA
    nova.connection().compute.stop_server(made)
    wait_until(lambda: listed(cloud)["f-g-a"].state is CloudState.STOPPED, "a server that is shut off")
    assert cloud.limits().machines.used == 1  # and still holds its quota
    cloud.delete(made)
    wait_until(lambda: "f-g-a" not in listed(cloud), "the end of the server")
    cloud.delete(made)
    assert cloud.limits().machines.used == 0


def test_the_quota_is_read_and_refuses_in_the_clouds_words(cloud: OpenStackProvider) -> None:
    quota = cloud.limits()
    size = next(size for size in cloud.sizes() if size.name == "m1.large")
    assert (quota.machines.limit, quota.cores.limit, quota.memory_gb.limit) == (10, 20, 50)
    assert quota.room_for(size) == 5
    for number in range(5):
        cloud.create(order(f"f-g-{number}", "m1.large"))
    assert cloud.limits().room_for(size) == 0
    words = r"Quota exceeded for cores: Requested 4, but already used 20 of 20 cores"
    with pytest.raises(QuotaRefused, match=words):
        cloud.create(order("f-g-9", "m1.large"))
    assert len(listed(cloud)) == 5


def test_what_is_accepted_and_fits_nowhere_ends_in_error_with_the_schedulers_words(
    cloud: OpenStackProvider,
) -> None:
    cloud.create(order("f-g-big", "m1.xlarge"))
    found = settled(cloud)["f-g-big"]
    assert found.state is CloudState.FAILED
    assert "No valid host was found" in found.fault


def test_what_nova_refuses_is_refused_by_name(cloud: OpenStackProvider, nova: Nova) -> None:
    with pytest.raises(ProviderRefused, match="there is no flavor nope"):
        cloud.create(order("f-g-a", "nope"))
    options = OpenStackOptions(image="00000000-0000-0000-0000-000000000000", ports=False)
    other = OpenStackProvider("nova", options, "f", nova.connection())
    with pytest.raises(ProviderRefused, match="provider nova: Can not find requested image"):
        other.create(order("f-g-a"))
    away = OpenStackProvider("away", options, "f", Nova("http://127.0.0.1:9/v2.1", 0).connection())
    with pytest.raises(ProviderUnavailable, match="provider away"):
        away.list()


def test_servers_of_a_page_after_the_first_are_listed_too(cloud: OpenStackProvider) -> None:
    for number in range(3):
        cloud.create(order(f"f-g-{number}"))
    whole = cloud._cloud.compute.servers
    cloud._cloud.compute.servers = lambda **options: whole(limit=1, **options)
    assert sorted(listed(cloud)) == ["f-g-0", "f-g-1", "f-g-2"]


CONFIG = """
fleet = "f"
[provider.nova]
kind = "openstack"
image = "of-the-test"
[group.g]
most = 3
drain_s = 600
idle_s = 0
images_per_s = 1.2
user_data = "user-data.yaml"
[[group.g.place]]
provider = "nova"
size = "m1.tiny"
"""


def test_the_manager_makes_servers_adopts_what_it_lost_and_leaves_none(
    cloud: OpenStackProvider, nova: Nova, tmp_path: Path
) -> None:
    scene = Scene(tmp_path, cloud, CONFIG)
    scene.work(300)
    began_s = time.monotonic()
    scene.round_until(lambda: scene.states() == [MachineState.RUNNING] * 2, "two servers at work")
    up_s = time.monotonic() - began_s
    for name, machine in listed(cloud).items():
        there = nova.connection().compute.get_server(machine.provider_id)
        assert base64.b64decode(there.user_data).decode() == f"#cloud-config\nhostname: {name}\n"
    cloud.create(order("f-g-lost"))  # by a manager that died, whose row is lost
    scene.round_until(lambda: "f-g-lost" in {row.name for row in scene.view().machines}, "its adoption")
    scene.queue.cancel(QueueTarget("b"))
    scene.round_until(lambda: not scene.states() and not listed(cloud), "the end of all")
    print(
        f"Nova up in {nova.started_s:.1f} s, 2 servers at work in {up_s:.1f} s, {scene.rounds} rounds in"
        f" {time.monotonic() - began_s:.1f} s"
    )
    scene.queue.close()


def test_servers_in_error_are_replaced_until_the_group_stops_and_says_why(
    cloud: OpenStackProvider, tmp_path: Path
) -> None:
    config = CONFIG.replace("m1.tiny", "m1.xlarge").replace("images_per_s = 1.2", "images_per_s = 0.4")
    scene = Scene(tmp_path, cloud, config.replace("most = 3", "most = 2"))
    scene.work(300)
    scene.round()
    assert settled(cloud)
    for _ in range(40):
        scene.round()
        settled(cloud)
        if not listed(cloud):
            break
    group = scene.view().groups["g"]
    assert (group.young_deaths, listed(cloud)) == (2, {})
    assert "No valid host was found" in group.fault
    assert group.retry_at > 0  # no third before its time
    scene.queue.close()
