"""Machines of Azure, by azure-mgmt-compute, which finds the keys as azure-identity does: environment, managed
identity of the manager's host, `az login`.

One request makes machine, interface and disk, and they end together. Lists are read here and not by the
library, which takes an answer without a list for an empty one. A machine that shut itself down is billed on
until it is deallocated, and its disk until it is deleted. Never run against Azure: see docs/machines.md.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, TypeVar

from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.rest import HttpRequest, HttpResponse
from azure.identity import DefaultAzureCredential
from azure.mgmt.compute import ComputeManagementClient
from pydantic import Field

from cloud_monitor.system.text import describe_error
from worker.machines.model import (
    CloudListing,
    CloudQuota,
    Leftover,
    MachineOrder,
    MachineSize,
    QuotaUse,
)
from worker.machines.providers.azure_answers import (
    DISK_SUFFIX,
    DISKS,
    NIC_SUFFIX,
    NICS,
    read_leftovers,
    read_machine,
    read_sku,
    refusal_of,
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

T = TypeVar("T")
VMS = "Microsoft.Compute/virtualMachines"
_API = {"compute": "2024-07-01", "skus": "2021-07-01", "network": "2023-09-01", "resources": "2021-04-01"}
_LARGEST_PAGES = 1000


class AzureOptions(ProviderOptions):
    subscription: str
    resource_group: str  # of the machines alone
    location: str
    image: str  # publisher:offer:sku:version, or the id of an image
    subnet: str  # its id; machines need a way out, and none in
    ssh_public_key: str = Field(pattern=r"^(ssh|ecdsa|sk)-")  # Azure makes no Linux machine without
    user: str = "debian"
    security_group: str = ""  # its id
    zone: str = ""
    disk: str = "StandardSSD_LRS"
    sizes: tuple[str, ...] = ("Standard_F*s_v2", "Standard_D*ds_v5", "Standard_E*ds_v5")  # of a preset


class AzureProvider:
    def __init__(self, name: str, options: AzureOptions, fleet: str, client: Any) -> None:
        """`client`: a ComputeManagementClient."""
        self.name = name
        self._options = options
        self._fleet = fleet
        self._client = client
        self._subscription = f"/subscriptions/{options.subscription}"
        self._group = f"{self._subscription}/resourceGroups/{options.resource_group}"

    def sizes(self) -> Sequence[MachineSize]:
        where = {"$filter": f"location eq '{self._options.location}'"}
        skus = self._rows(f"{self._subscription}/providers/Microsoft.Compute/skus", "skus", where)
        wanted = self._options.sizes
        return self._understood(
            lambda: tuple(
                read_sku(sku)
                for sku in skus
                if sku["resourceType"] == "virtualMachines"
                and not sku.get("restrictions")
                and any(fnmatchcase(sku["name"], pattern) for pattern in wanted)
            )
        )

    def create(self, order: MachineOrder) -> str:
        path = f"{self._group}/providers/{VMS}/{order.name}"
        new = {"If-None-Match": "*"}  # never changes one that is there
        self._ask("PUT", path, "compute", body=self._request(order), headers=new, expected=(412,))
        return path

    def _request(self, order: MachineOrder) -> dict[str, Any]:
        options = self._options
        tags = {FLEET_TAG: self._fleet, GROUP_TAG: order.group, NAME_TAG: order.name}
        disk: dict[str, Any] = {
            "name": order.name + DISK_SUFFIX,
            "createOption": "FromImage",
            "deleteOption": "Delete",
            "managedDisk": {"storageAccountType": options.disk},
        }
        if order.storage_gb:
            disk["diskSizeGB"] = order.storage_gb
        address = {"name": "ip", "properties": {"primary": True, "subnet": {"id": options.subnet}}}
        nic: dict[str, Any] = {"primary": True, "deleteOption": "Delete", "ipConfigurations": [address]}
        if options.security_group:
            nic["networkSecurityGroup"] = {"id": options.security_group}
        key = {"path": f"/home/{options.user}/.ssh/authorized_keys", "keyData": options.ssh_public_key}
        properties: dict[str, Any] = {
            "hardwareProfile": {"vmSize": order.size},
            "storageProfile": {"imageReference": self._image(), "osDisk": disk},
            "osProfile": {
                "computerName": order.name,
                "adminUsername": options.user,
                "customData": base64.b64encode(order.user_data.encode()).decode(),
                "linuxConfiguration": {"disablePasswordAuthentication": True, "ssh": {"publicKeys": [key]}},
            },
            "networkProfile": {
                "networkApiVersion": "2022-11-01",
                "networkInterfaceConfigurations": [{"name": order.name + NIC_SUFFIX, "properties": nic}],
            },
        }
        if order.spot:
            properties |= {
                "priority": "Spot",
                "evictionPolicy": "Delete",
                "billingProfile": {"maxPrice": -1},
            }
        request = {"location": options.location, "tags": tags, "properties": properties}
        return request | ({"zones": [options.zone]} if options.zone else {})

    def _image(self) -> Mapping[str, str]:
        image = self._options.image
        if image.startswith("/"):
            return {"id": image}
        parts = image.split(":")
        if len(parts) != 4:
            raise ProviderRefused(
                f"provider {self.name}: image {image} is neither an id nor publisher:offer:sku:version"
            )
        return dict(zip(("publisher", "offer", "sku", "version"), parts, strict=True))

    def list(self) -> CloudListing:
        """Of the resource group; how they are is told by a list of the subscription's."""
        mine = {"$filter": f"resourceType eq '{DISKS}' or resourceType eq '{NICS}'"}
        parts = tuple(self._rows(f"{self._group}/resources", "resources", mine))
        machines = tuple(self._rows(f"{self._group}/providers/{VMS}", "compute"))
        every = f"{self._subscription}/providers/{VMS}"
        views = tuple(self._rows(every, "compute", {"statusOnly": "true"}))
        return self._understood(lambda: self._listing(parts, machines, views))

    def _listing(self, parts: Sequence[Any], machines: Sequence[Any], views: Sequence[Any]) -> CloudListing:
        statuses = {
            one["id"].lower(): one["properties"].get("instanceView", {}).get("statuses", ()) for one in views
        }
        ours = tuple(
            read_machine(one, statuses.get(one["id"].lower(), ()))
            for one in machines
            if (one.get("tags") or {}).get(FLEET_TAG) == self._fleet
        )
        there = {one["name"].lower() for one in machines}
        return CloudListing(ours, tuple(read_leftovers(parts, self._fleet, there)))

    def delete(self, provider_id: str) -> None:
        self._ask("DELETE", provider_id, "compute", expected=(404,))

    def delete_leftover(self, leftover: Leftover) -> None:
        api = "compute" if leftover.kind == "disk" else "network"
        self._ask("DELETE", leftover.provider_id, api, expected=(404,))

    def limits(self) -> CloudQuota:
        """Of the location; spot cores have a quota of their own, which a refusal tells."""
        path = f"{self._subscription}/providers/Microsoft.Compute/locations/{self._options.location}/usages"
        rows = tuple(self._rows(path, "compute"))

        def read() -> CloudQuota:
            uses = {row["name"]["value"]: QuotaUse(row["currentValue"], row["limit"]) for row in rows}
            return CloudQuota(machines=uses["virtualMachines"], cores=uses["cores"])

        return self._understood(read)

    def _rows(self, path: str, api: str, query: Mapping[str, str] | None = None) -> Iterator[Any]:
        """Of all pages; one that has no list is not understood."""
        answer = self._ask("GET", path, api, query=query)
        for _ in range(_LARGEST_PAGES):
            rows, following = self._understood(partial(_page, answer))
            yield from rows
            if not following:
                return
            answer = self._ask("GET", following)
        raise ProviderUnavailable(f"provider {self.name}: the list {path} has no end")

    def _ask(
        self,
        method: str,
        path: str,
        api: str = "",
        query: Mapping[str, str] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        expected: tuple[int, ...] = (),
    ) -> HttpResponse:
        """The answer, if it is 2xx or as expected; Azure's refusals as ours, in its own words."""
        params = {**(query or {}), **({"api-version": _API[api]} if api else {})}
        try:
            request = HttpRequest(method, path, params=params, json=body, headers=dict(headers or {}))
            answer: HttpResponse = self._client.send_request(request)
            if answer.status_code >= 300 and answer.status_code not in expected:
                raise refusal_of(self.name, answer.status_code, answer.text(), answer.headers)
        except ClientAuthenticationError as error:
            raise ProviderRefused(f"provider {self.name}: {error.message}") from None
        except (AzureError, OSError) as error:
            raise ProviderUnavailable(f"provider {self.name}: {error}") from None
        return answer

    def _understood(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ProviderUnavailable(
                f"provider {self.name}: its answer is not understood: {describe_error(error)}"
            ) from None


def _page(answer: HttpResponse) -> tuple[list[Any], str | None]:
    content = answer.json()
    return [*content["value"]], content.get("nextLink")


def open_provider(name: str, options: Mapping[str, object], fleet: str) -> Provider:
    given = read_options(AzureOptions, name, options)
    client = ComputeManagementClient(
        DefaultAzureCredential(),
        given.subscription,
        retry_total=0,  # the next round asks again; a pause that Azure asks for is not slept through here
        connection_timeout=10,
        read_timeout=ANSWER_S,
    )
    return AzureProvider(name, given, fleet, client)
