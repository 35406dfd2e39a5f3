"""EC2 as moto plays it, behind a proxy with what moto leaves out; and the manager over it."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.services.answering import Answer, answering, as_json
from tests.services.ec2_cloud import Ec2Cloud, ec2_cloud
from tests.services.support import wait_until
from tests.worker.machines.providers.scene import Scene
from worker.machines.model import CloudState, Leftover, MachineOrder
from worker.machines.placement import Preset, smallest_fitting
from worker.machines.providers.base import (
    CapacityRefused,
    ProviderRefused,
    ProviderThrottled,
    ProviderUnavailable,
    QuotaRefused,
    open_provider,
)
from worker.machines.providers.ec2 import Ec2Options, Ec2Provider
from worker.machines.providers.ec2_answers import bandwidth_mbps
from worker.queue import QueueTarget
from worker.queue.machines.machines import MachineState

USER_DATA = "#cloud-config\nruncmd: [[systemctl, start, cloud-monitor-worker]]  # ö\n"
# One for all: it reads what EC2 is but once
SESSION = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="us-east-1")
ORDER = MachineOrder("f-g-a", "g", "c7i.large", USER_DATA, storage_gb=40)


@pytest.fixture
def endpoint(moto: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Ec2Cloud]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with ec2_cloud(moto) as cloud:
        yield cloud


@cache
def session() -> boto3.Session:
    """One for all tests: reading what EC2 offers takes it half a second."""
    return boto3.Session()


def raw(endpoint: Ec2Cloud) -> Any:
    return session().client("ec2", endpoint_url=endpoint.url)


@pytest.fixture
def image(endpoint: Ec2Cloud) -> str:
    made = raw(endpoint).register_image(
        Name="fleet", Architecture="x86_64", RootDeviceName="/dev/xvda",
    )  # fmt: skip
    return str(made["ImageId"])


@pytest.fixture
def cloud(endpoint: Ec2Cloud, image: str) -> Ec2Provider:
    return Ec2Provider("moon", Ec2Options(image=image, endpoint_url=endpoint.url), "f", session())


def test_an_instance_is_made_once_with_all_that_it_needs_and_ended_once(
    cloud: Ec2Provider, endpoint: Ec2Cloud
) -> None:
    assert cloud.list().machines == ()
    made = cloud.create(replace(ORDER, spot=True))
    assert cloud.create(replace(ORDER, spot=True)) == made
    (found,) = cloud.list().machines
    assert (found.provider_id, found.name, found.group, found.state, found.spot, found.size) == (
        made, "f-g-a", "g", CloudState.RUNNING, True, "c7i.large",
    )  # fmt: skip
    assert found.created_at is not None
    assert abs(found.created_at - time.time()) < 300
    said = raw(endpoint).describe_instance_attribute(InstanceId=made, Attribute="userData")["UserData"]
    assert base64.b64decode(said["Value"]).decode() == USER_DATA
    (disk,) = raw(endpoint).describe_volumes()["Volumes"]
    assert disk["Size"] == 40
    assert {"Key": "cloud-monitor-machine", "Value": "f-g-a"} in disk["Tags"]
    form = endpoint.calls("RunInstances")[0]
    assert {name: form[name] for name in form if name.startswith(("Inst", "BlockDevice", "Meta"))} == {
        "InstanceType": ["c7i.large"],
        "InstanceInitiatedShutdownBehavior": ["terminate"],
        "InstanceMarketOptions.MarketType": ["spot"],
        "InstanceMarketOptions.SpotOptions.SpotInstanceType": ["one-time"],
        "InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior": ["terminate"],
        "BlockDeviceMapping.1.DeviceName": ["/dev/sda1"],
        "BlockDeviceMapping.1.Ebs.DeleteOnTermination": ["true"],
        "BlockDeviceMapping.1.Ebs.VolumeSize": ["40"],
        "BlockDeviceMapping.1.Ebs.VolumeType": ["gp3"],
        "MetadataOptions.HttpTokens": ["required"],
    }
    cloud.delete(made)
    cloud.delete(made)
    cloud.delete("i-0123456789abcdef0")
    assert cloud.list().machines == ()
    assert raw(endpoint).describe_volumes()["Volumes"] == []


def test_an_answer_that_is_lost_leaves_one_machine_when_it_is_asked_for_again(
    cloud: Ec2Provider, endpoint: Ec2Cloud
) -> None:
    """boto3 asks again by itself, with the same token."""
    endpoint.lost = True
    made = cloud.create(ORDER)
    assert len(endpoint.calls("RunInstances")) == 2
    assert [machine.provider_id for machine in cloud.list().machines] == [made]
    assert [machine.name for machine in cloud.list().machines] == ["f-g-a"]


def test_others_instances_are_not_listed_and_stopped_ones_are(cloud: Ec2Provider, endpoint: Ec2Cloud) -> None:
    other = Ec2Provider("moon", cloud._options, "other", session())
    other.create(replace(ORDER, name="other-g-a"))
    made = cloud.create(ORDER)
    raw(endpoint).stop_instances(InstanceIds=[made])
    (found,) = cloud.list().machines
    assert (found.name, found.state) == ("f-g-a", CloudState.STOPPED)
    assert "User initiated" in found.fault


def test_disks_and_interfaces_that_outlived_their_machine_are_found_and_ended(
    cloud: Ec2Provider, endpoint: Ec2Cloud
) -> None:
    tags = [
        {"Key": "cloud-monitor-fleet", "Value": "f"},
        {"Key": "cloud-monitor-machine", "Value": "f-g-old"},
    ]
    ec2 = raw(endpoint)
    disk = ec2.create_volume(
        AvailabilityZone="us-east-1a", Size=8, TagSpecifications=[{"ResourceType": "volume", "Tags": tags}]
    )["VolumeId"]
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    nic = ec2.create_network_interface(
        SubnetId=subnet, TagSpecifications=[{"ResourceType": "network-interface", "Tags": tags}]
    )["NetworkInterface"]["NetworkInterfaceId"]
    ec2.create_volume(AvailabilityZone="us-east-1a", Size=8)  # somebody's
    found = cloud.list().leftovers
    assert set(found) == {Leftover("disk", disk, disk, "f-g-old"), Leftover("nic", nic, nic, "f-g-old")}
    for leftover in (*found, *found):  # gone already is no error
        cloud.delete_leftover(leftover)
    assert cloud.list().leftovers == ()


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (
            (500, "InsufficientInstanceCapacity", "no c7i.large in us-east-1a"),
            CapacityRefused,
            "no c7i.large",
        ),
        ((400, "VcpuLimitExceeded", "more vCPU capacity than 32"), QuotaRefused, "vCPU capacity than 32"),
        ((400, "MaxSpotInstanceCountExceeded", "Max spot"), QuotaRefused, "Max spot"),
        ((503, "RequestLimitExceeded", "Request limit"), ProviderThrottled, "Request limit"),
        ((400, "InvalidAMIID.NotFound", "The image id does not exist"), ProviderRefused, "image id"),
        ((403, "UnauthorizedOperation", "You are not authorized"), ProviderRefused, "not authorized"),
        ((500, "InternalError", "An internal error"), ProviderUnavailable, "internal error"),
    ],
)
def test_refusals_are_told_apart_and_keep_the_clouds_words(
    cloud: Ec2Provider, endpoint: Ec2Cloud, fault: tuple[int, str, str], kind: type[Exception], words: str
) -> None:
    endpoint.faults = [("RunInstances", *fault)] * 5
    with pytest.raises(kind, match=words) as raised:
        cloud.create(ORDER)
    assert type(raised.value) is kind
    endpoint.faults = []
    assert cloud.list().machines == ()


def test_what_cannot_be_done_is_said_by_name(cloud: Ec2Provider, endpoint: Ec2Cloud) -> None:
    changed = replace(ORDER, user_data="#cloud-config\n{}\n")
    cloud.create(ORDER)
    with pytest.raises(ProviderRefused, match="provider moon: IdempotentParameterMismatch"):
        cloud.create(changed)
    away = Ec2Options(image="ami-1", endpoint_url="http://127.0.0.1:9")
    with pytest.raises(ProviderUnavailable, match=r"provider away: .*127\.0\.0\.1:9"):
        Ec2Provider("away", away, "f", session()).list()
    with pytest.raises(ProviderRefused, match="provider x: secret_key: Extra inputs") as raised:
        open_provider("ec2", "x", {"image": "ami-1", "secret_key": "s3cret"}, "f")
    assert "s3cret" not in str(raised.value)
    with pytest.raises(ProviderRefused, match=r"provider x: The config profile .nobody. could not be found"):
        open_provider("ec2", "x", {"image": "ami-1", "profile": "nobody"}, "f")


@pytest.mark.parametrize(
    "body",
    [
        b"<html>log in</html>",
        b"",
        b"<DescribeInstancesResponse/>",
        b"<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>",
        b"<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId>"
        b"</item></instancesSet></item></reservationSet></DescribeInstancesResponse>",
    ],
)
def test_an_answer_that_is_not_understood_is_never_an_empty_list(endpoint: Ec2Cloud, body: bytes) -> None:
    with answering(lambda _: Answer(200, body, {"Content-Type": "text/xml"})) as http:
        provider = Ec2Provider("moon", Ec2Options(image="a", endpoint_url=http.url), "f", session())
        with pytest.raises(ProviderUnavailable, match="provider moon"):
            provider.list()


def test_presets_become_the_smallest_size_of_the_families_asked_for(cloud: Ec2Provider) -> None:
    sizes = cloud.sizes()
    assert {size.name.split(".")[0] for size in sizes} == {"c7i", "m7i", "r7i"}
    found = smallest_fitting(sizes, Preset(cores=16, memory_gb=64, bandwidth_mbps=1000))
    assert found is not None
    assert (found.name, found.cores, found.memory_gb, found.bandwidth_mbps) == ("m7i.4xlarge", 16, 64, 12500)
    assert (bandwidth_mbps("Moderate"), bandwidth_mbps("25 Gigabit")) == (0, 25000)


def test_the_quota_of_vcpus_is_asked_for_where_it_is_wanted(cloud: Ec2Provider, endpoint: Ec2Cloud) -> None:
    assert cloud.limits().room_for(cloud.sizes()[0]) is None
    cloud.create(ORDER)
    counted = Ec2Provider("moon", cloud._options.model_copy(update={"quota": True}), "f", session())
    with answering(lambda _: as_json({"Quota": {"QuotaCode": "L-1216C47A", "Value": 32.0}})) as http:
        counted._quotas = session().client("service-quotas", endpoint_url=http.url)
        quota = counted.limits()
        assert http.got[0].content == {"ServiceCode": "ec2", "QuotaCode": "L-1216C47A"}
    assert (quota.cores.limit, quota.cores.used) == (32, 2)


CONFIG = """
fleet = "f"
[provider.moon]
kind = "ec2"
image = "of-the-test"
[group.g]
most = 3
drain_s = 600
idle_s = 0
images_per_s = 1.2
missing_s = 0
user_data = "user-data.yaml"
[[group.g.place]]
provider = "moon"
size = "c7i.large"
"""


def test_the_manager_over_a_list_that_lags_and_answers_that_are_lost(
    cloud: Ec2Provider, endpoint: Ec2Cloud, tmp_path: Path
) -> None:
    scene = Scene(tmp_path, cloud, CONFIG.replace("missing_s = 0", "missing_s = 120"))
    scene.work(300)
    endpoint.lag, endpoint.lost = 3, True
    scene.round_until(lambda: scene.states() == [MachineState.RUNNING] * 2, "two instances at work")
    wait_until(lambda: len(cloud.list().machines) == 2, "a list that has come up")
    assert {form["ClientToken"][0] for form in endpoint.calls("RunInstances")} == {
        row.name for row in scene.view().machines
    }
    cloud.create(replace(ORDER, name="f-g-lost"))  # by a manager that died, whose row is lost
    scene.round_until(lambda: "f-g-lost" in {row.name for row in scene.view().machines}, "its adoption")
    scene.queue.cancel(QueueTarget("b"))
    scene.round_until(lambda: not scene.states() and not cloud.list().machines, "the end of all")
    scene.queue.close()


def test_a_group_whose_size_is_not_to_be_had_says_so_and_asks_again_later(
    cloud: Ec2Provider, endpoint: Ec2Cloud, tmp_path: Path
) -> None:
    scene = Scene(tmp_path, cloud, CONFIG)
    scene.work(300)
    endpoint.faults = [("RunInstances", 400, "InsufficientInstanceCapacity", "none in us-east-1a")] * 9
    scene.round()
    assert "none in us-east-1a" in scene.view().groups["g"].fault
    assert (scene.states(), len(endpoint.calls("RunInstances"))) == ([], 1)
    scene.queue.close()
