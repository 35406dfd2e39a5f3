"""Machines of an OpenStack cloud, by openstacksdk, which finds the keys in clouds.yaml or in OS_ variables.

Nova has no client token: whoever asks twice looks for the name first. What is the fleet's is told by the
servers' metadata, since a filter on metadata is not for all users. A server that is shut off holds its quota;
ports of servers that are no more hold theirs, and are known by the name that Nova gives to Neutron's DNS
extension, where a cloud has that.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import openstack
from keystoneauth1.exceptions import ClientException
from openstack import exceptions

from cloud_monitor.system.text import describe_error
from worker.machines.model import (
    CloudListing,
    CloudMachine,
    CloudQuota,
    CloudState,
    Leftover,
    MachineOrder,
    MachineSize,
    QuotaUse,
)
from worker.machines.providers.base import (
    ANSWER_S,
    FLEET_TAG,
    GROUP_TAG,
    MIB_OF_GIB,
    NAME_TAG,
    CapacityRefused,
    Provider,
    ProviderError,
    ProviderOptions,
    ProviderRefused,
    ProviderThrottled,
    ProviderUnavailable,
    QuotaRefused,
    read_options,
    retry_after_s,
    tagged_names,
)

T = TypeVar("T")
_STATES = {
    "BUILD": CloudState.BOOTING,
    "ERROR": CloudState.FAILED,
    "SHUTOFF": CloudState.STOPPED,
    "PAUSED": CloudState.STOPPED,
    "SUSPENDED": CloudState.STOPPED,
    "SHELVED": CloudState.STOPPED,
    "SHELVED_OFFLOADED": CloudState.STOPPED,
    "RESCUE": CloudState.STOPPED,
    "SOFT_DELETED": CloudState.DELETING,
    "DELETED": CloudState.DELETING,
}


class OpenStackOptions(ProviderOptions):
    cloud: str = ""  # in clouds.yaml; unset: OS_CLOUD, or the other OS_ variables
    region: str = ""
    image: str  # name or id
    network: str = ""  # name or id; unset: the project's only one
    key_name: str = ""  # SSH key for people; machines need none
    security_groups: tuple[str, ...] = ()
    availability_zone: str = ""
    volume: bool = False  # boot from a volume as large as the preset says, which ends with the machine
    ports: bool = True  # look for ports that outlived their machines


class OpenStackProvider:
    def __init__(self, name: str, options: OpenStackOptions, fleet: str, connection: Any) -> None:
        """`connection`: an openstack.connection.Connection."""
        self.name = name
        self._options = options
        self._fleet = fleet
        self._cloud = connection
        self._flavors: dict[str, str] = {}  # name -> id

    def sizes(self) -> Sequence[MachineSize]:
        flavors = self._asked(lambda: list(self._cloud.compute.flavors(details=True)))
        self._flavors = {flavor.name: flavor.id for flavor in flavors}
        return tuple(
            MachineSize(
                flavor.name,
                flavor.vcpus,
                flavor.ram / MIB_OF_GIB,
                (flavor.disk or 0) + (flavor.ephemeral or 0),
                gpus=_gpus(flavor.extra_specs or {}),
                storage_fixed=not self._options.volume,
            )
            for flavor in flavors
        )

    def create(self, order: MachineOrder) -> str:
        if order.spot:
            raise ProviderRefused(f"provider {self.name}: OpenStack has no spot machines")
        known = self._asked(lambda: next((s.id for s in self._servers(name=f"^{order.name}$")), None))
        if known is not None:
            return str(known)
        if order.size not in self._flavors:
            self.sizes()
        if order.size not in self._flavors:
            raise ProviderRefused(f"provider {self.name}: there is no flavor {order.size}")
        return str(self._asked(lambda: self._cloud.compute.create_server(**self._request(order)).id))

    def _request(self, order: MachineOrder) -> dict[str, Any]:
        options = self._options
        image = self._id_of("image", options.image)
        request: dict[str, Any] = {
            "name": order.name,
            "flavor_id": self._flavors[order.size],
            "image_id": image,
            "user_data": base64.b64encode(order.user_data.encode()).decode(),
            "metadata": {FLEET_TAG: self._fleet, GROUP_TAG: order.group, NAME_TAG: order.name},
            "networks": [{"uuid": self._id_of("network", options.network)}] if options.network else "auto",
        }
        if options.volume:
            del request["image_id"]
            request["block_device_mapping"] = [
                {
                    "boot_index": 0,
                    "uuid": image,
                    "source_type": "image",
                    "destination_type": "volume",
                    "volume_size": order.storage_gb or 40,
                    "delete_on_termination": True,
                }
            ]
        if options.key_name:
            request["key_name"] = options.key_name
        if options.security_groups:
            request["security_groups"] = [{"name": name} for name in options.security_groups]
        if options.availability_zone:
            request["availability_zone"] = options.availability_zone
        return request

    def _id_of(self, kind: str, name: str) -> str:
        """Of an image or network that may be named or given by its id."""
        try:
            return str(UUID(name))
        except ValueError:
            find = self._cloud.image.find_image if kind == "image" else self._cloud.network.find_network
            found = find(name, ignore_missing=True)
        if found is None:
            raise ProviderRefused(f"provider {self.name}: there is no {kind} {name}")
        return str(found.id)

    def list(self) -> CloudListing:
        def ask() -> CloudListing:
            machines = tuple(map(_machine, self._servers()))
            return CloudListing(machines, tuple(self._ports()) if self._options.ports else ())

        return self._asked(ask)

    def _servers(self, **filters: str) -> Iterator[Any]:
        for server in self._cloud.compute.servers(details=True, **filters):
            if server.metadata.get(FLEET_TAG) == self._fleet:
                yield server

    def _ports(self) -> Iterator[Leftover]:
        """Of servers that are no more: asked for before the servers, so that none of a new one is meant."""
        prefix = f"{self._fleet[:20]}-"
        ports = [
            port
            for port in self._cloud.network.ports()
            if (port.device_owner or "").startswith("compute:") and (port.dns_name or "").startswith(prefix)
        ]
        there = {server.id for server in self._cloud.compute.servers(details=False)} if ports else set()
        for port in ports:
            if port.device_id not in there:
                yield Leftover("port", port.id, port.name or port.id, port.dns_name)

    def delete(self, provider_id: str) -> None:
        self._asked(lambda: self._cloud.compute.delete_server(provider_id, ignore_missing=True))

    def delete_leftover(self, leftover: Leftover) -> None:
        self._asked(lambda: self._cloud.network.delete_port(leftover.provider_id, ignore_missing=True))

    def limits(self) -> CloudQuota:
        given = self._asked(lambda: self._cloud.compute.get_limits().absolute)
        return self._asked(
            lambda: CloudQuota(
                machines=_use(given.instances_used, given.instances),
                cores=_use(given.total_cores_used, given.total_cores),
                memory_gb=_use(given.total_ram_used, given.total_ram, MIB_OF_GIB),
            )
        )

    def _asked(self, question: Callable[[], T]) -> T:
        """What the cloud answers; its refusals as ours, in its own words."""
        try:
            return question()
        except exceptions.HttpException as error:
            raise _refusal(self.name, error) from None
        except (exceptions.SDKException, ClientException, OSError) as error:
            raise ProviderUnavailable(f"provider {self.name}: {error}") from None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ProviderUnavailable(
                f"provider {self.name}: its answer is not understood: {describe_error(error)}"
            ) from None


def _machine(server: Any) -> CloudMachine:
    deleting = server.task_state == "deleting" and server.status != "ERROR"
    state = CloudState.DELETING if deleting else _STATES.get(server.status, CloudState.RUNNING)
    if not isinstance(server.id, str) or not isinstance(server.name, str):
        raise ValueError("a server without id or name")
    return CloudMachine(
        server.id,
        *tagged_names(server.metadata, server.id),
        state,
        created_at=_epoch(server.created_at),
        fault=str((server.fault or {}).get("message", "")),
        size=str((server.flavor or {}).get("original_name") or ""),
    )


def _epoch(text: str | None) -> float | None:
    return None if not text else datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def _use(used: float, limit: float, unit: float = 1) -> QuotaUse:
    """Nova says -1 where there is no limit."""
    return QuotaUse(used / unit, None if limit < 0 else limit / unit)


def _gpus(specs: Mapping[str, str]) -> int:
    """Of a flavor: virtual ones, or whole ones passed through by an alias that says what it is."""
    count = int(specs.get("resources:VGPU", 0))
    for alias in specs.get("pci_passthrough:alias", "").split(","):
        name, _, number = alias.partition(":")
        count += int(number or 1) if "gpu" in name.lower() else 0
    return count


def _refusal(name: str, error: exceptions.HttpException) -> ProviderError:
    said = f"provider {name}: {error.details or error}"
    status = error.status_code or 0
    if status == 429 or (status == 413 and "quota" not in said.lower()):
        headers = error.response.headers if error.response is not None else {}
        return ProviderThrottled(said, retry_after_s(headers.get("Retry-After")))
    if status in (403, 413) and "quota" in said.lower():
        return QuotaRefused(said)
    if "no valid host" in said.lower():
        return CapacityRefused(said)
    return ProviderRefused(said) if 400 <= status < 500 else ProviderUnavailable(said)


def open_provider(name: str, options: Mapping[str, object], fleet: str) -> Provider:
    given = read_options(OpenStackOptions, name, options)
    try:
        connection = openstack.connect(
            cloud=given.cloud or None,
            region_name=given.region or None,
            app_name="cloud-monitor",
            api_timeout=ANSWER_S,
        )
    except (exceptions.SDKException, ClientException) as error:
        raise ProviderRefused(f"provider {name}: {error}") from None
    return OpenStackProvider(name, given, fleet, connection)
