"""Machines of EC2 and of what speaks its language, by boto3, which finds the keys in its own chain:
environment, profile, the role of the manager's host.

The name is the client token: asked twice, one machine. Instance, volume and interface are tagged by the
request that makes them, and end together. An instance that shuts itself down is terminated. The list may lag
behind what was made a moment ago.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParserError

from cloud_monitor.system.text import describe_error
from worker.machines.model import (
    CloudListing,
    CloudQuota,
    Leftover,
    MachineOrder,
    MachineSize,
    QuotaUse,
)
from worker.machines.providers.base import (
    ANSWER_S,
    FLEET_TAG,
    GROUP_TAG,
    NAME_TAG,
    Provider,
    ProviderOptions,
    ProviderRefused,
    ProviderUnavailable,
    read_options,
)
from worker.machines.providers.ec2_answers import (
    STATES,
    is_gone,
    read_instance,
    read_leftover,
    read_type,
    refusal_of,
)

T = TypeVar("T")
# Of Service Quotas: vCPUs of running on-demand instances of the usual families
_QUOTA_CODE = "L-1216C47A"


class Ec2Options(ProviderOptions):
    region: str = ""  # unset: as the profile or the environment says
    profile: str = ""  # of ~/.aws/config
    endpoint_url: str = ""  # of a work-alike
    image: str  # ami-...
    subnet: str = ""  # unset: the default one
    security_groups: tuple[str, ...] = ()  # ids
    key_name: str = ""  # SSH key for people; machines need none
    instance_profile: str = ""  # role of the machines; they need none
    sizes: tuple[str, ...] = ("c7i.*", "m7i.*", "r7i.*")  # that a preset may become
    quota: bool = False  # ask Service Quotas for the vCPUs there may be


class Ec2Provider:
    def __init__(self, name: str, options: Ec2Options, fleet: str, session: Any) -> None:
        """`session`: a boto3.Session."""
        self.name = name
        self._options = options
        self._fleet = fleet
        bounded = Config(
            connect_timeout=10, read_timeout=ANSWER_S, retries={"mode": "standard", "total_max_attempts": 3}
        )
        at = {"endpoint_url": options.endpoint_url or None, "config": bounded}
        self._ec2 = session.client("ec2", **at)
        self._quotas = session.client("service-quotas", **at) if options.quota else None
        self._image: Mapping[str, Any] | None = None

    def sizes(self) -> Sequence[MachineSize]:
        architecture = self._described_image("Architecture")
        wanted = (
            ("instance-type", [*self._options.sizes]),
            ("bare-metal", ["false"]),
            ("processor-info.supported-architecture", [architecture]),
        )
        return self._asked(lambda: tuple(self._types(*wanted)))

    def _types(self, *wanted: tuple[str, Sequence[str]]) -> Iterator[MachineSize]:
        filters = [{"Name": name, "Values": values} for name, values in wanted]
        yield from map(read_type, self._pages("describe_instance_types", "InstanceTypes", filters))

    def create(self, order: MachineOrder) -> str:
        request = self._request(order)
        return self._asked(lambda: str(self._ec2.run_instances(**request)["Instances"][0]["InstanceId"]))

    def _request(self, order: MachineOrder) -> dict[str, Any]:
        options = self._options
        tags = [
            {"Key": key, "Value": value}
            for key, value in (
                ("Name", order.name),
                (FLEET_TAG, self._fleet),
                (GROUP_TAG, order.group),
                (NAME_TAG, order.name),
            )
        ]
        request: dict[str, Any] = {
            "ImageId": options.image,
            "InstanceType": order.size,
            "MinCount": 1,
            "MaxCount": 1,
            "ClientToken": order.name,
            "UserData": order.user_data,  # boto3 encodes it
            "InstanceInitiatedShutdownBehavior": "terminate",
            "MetadataOptions": {"HttpTokens": "required"},
            "TagSpecifications": [
                {"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume", "network-interface")
            ],
        }
        if order.storage_gb:
            disk = {"VolumeSize": order.storage_gb, "VolumeType": "gp3", "DeleteOnTermination": True}
            name = self._described_image("RootDeviceName")
            request["BlockDeviceMappings"] = [{"DeviceName": name, "Ebs": disk}]
        if order.spot:
            ended = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
            request["InstanceMarketOptions"] = {"MarketType": "spot", "SpotOptions": ended}
        if options.subnet:
            request["SubnetId"] = options.subnet
        if options.security_groups:
            request["SecurityGroupIds"] = [*options.security_groups]
        if options.key_name:
            request["KeyName"] = options.key_name
        if options.instance_profile:
            request["IamInstanceProfile"] = {"Name": options.instance_profile}
        return request

    def _described_image(self, what: str) -> str:
        if self._image is None:
            images = self._asked(lambda: self._ec2.describe_images(ImageIds=[self._options.image])["Images"])
            if not images:
                raise ProviderRefused(f"provider {self.name}: there is no image {self._options.image}")
            self._image = images[0]
        return str(self._image.get(what) or {"Architecture": "x86_64"}.get(what, "/dev/xvda"))

    def list(self) -> CloudListing:
        ours = {"Name": f"tag:{FLEET_TAG}", "Values": [self._fleet]}
        there = {"Name": "instance-state-name", "Values": [*STATES]}
        unused = {"Name": "status", "Values": ["available"]}

        def ask() -> CloudListing:
            reservations = self._pages("describe_instances", "Reservations", [ours, there])
            machines = tuple(read_instance(one) for some in reservations for one in some["Instances"])
            volumes = self._pages("describe_volumes", "Volumes", [ours, unused])
            nics = self._pages("describe_network_interfaces", "NetworkInterfaces", [ours, unused])
            return CloudListing(
                machines,
                (
                    *(read_leftover("disk", one["VolumeId"], one["Tags"]) for one in volumes),
                    *(read_leftover("nic", one["NetworkInterfaceId"], one["TagSet"]) for one in nics),
                ),
            )

        return self._asked(ask)

    def _pages(self, call: str, key: str, filters: Sequence[Mapping[str, Any]]) -> tuple[Any, ...]:
        """All of them; a page without the key is not understood."""
        pages = self._ec2.get_paginator(call).paginate(Filters=[*filters])
        return tuple(one for page in pages for one in page[key])

    def delete(self, provider_id: str) -> None:
        self._unless_gone(lambda: self._ec2.terminate_instances(InstanceIds=[provider_id]))

    def delete_leftover(self, leftover: Leftover) -> None:
        if leftover.kind == "disk":
            self._unless_gone(lambda: self._ec2.delete_volume(VolumeId=leftover.provider_id))
        else:
            id_of = {"NetworkInterfaceId": leftover.provider_id}
            self._unless_gone(lambda: self._ec2.delete_network_interface(**id_of))

    def limits(self) -> CloudQuota:
        """Without `quota` the account's limits are not known before EC2 refuses."""
        if self._quotas is None:
            return CloudQuota()
        quotas = self._quotas

        def ask() -> CloudQuota:
            answer = quotas.get_service_quota(ServiceCode="ec2", QuotaCode=_QUOTA_CODE)
            running = {"Name": "instance-state-name", "Values": ["pending", "running"]}
            reservations = self._pages("describe_instances", "Reservations", [running])
            types = [
                one["InstanceType"]
                for some in reservations
                for one in some["Instances"]
                if one.get("InstanceLifecycle") != "spot"
            ]
            cores = (
                {size.name: size.cores for size in self._types(("instance-type", [*{*types}]))}
                if types
                else {}
            )
            used = sum(cores[name] for name in types)
            return CloudQuota(cores=QuotaUse(used, float(answer["Quota"]["Value"])))

        return self._asked(ask)

    def _unless_gone(self, question: Callable[[], object]) -> None:
        def ask() -> None:
            try:
                question()
            except ClientError as error:
                if not is_gone(error):
                    raise

        self._asked(ask)

    def _asked(self, question: Callable[[], T]) -> T:
        """What the cloud answers; its refusals as ours, in its own words."""
        try:
            return question()
        except ClientError as error:
            raise refusal_of(self.name, error) from None
        except (NoCredentialsError, NoRegionError, PartialCredentialsError) as error:
            raise ProviderRefused(f"provider {self.name}: {error}") from None
        except (BotoCoreError, ResponseParserError, OSError) as error:
            raise ProviderUnavailable(f"provider {self.name}: {error}") from None
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise ProviderUnavailable(
                f"provider {self.name}: its answer is not understood: {describe_error(error)}"
            ) from None


def open_provider(name: str, options: Mapping[str, object], fleet: str) -> Provider:
    given = read_options(Ec2Options, name, options)
    try:
        session = boto3.Session(
            region_name=given.region or None,
            profile_name=given.profile or None,
        )
        return Ec2Provider(name, given, fleet, session)
    except (BotoCoreError, ValueError) as error:
        raise ProviderRefused(f"provider {name}: {error}") from None
