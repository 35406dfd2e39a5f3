"""What Azure is asked for, and how its answers are read. The server here records and answers as the REST
reference says; Azure itself was never asked.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.compute import ComputeManagementClient

from tests.services.answering import Answer, AnsweringServer, Request, answering, as_json
from tests.worker.machines.providers.scene import Scene
from worker.machines.model import CloudState, Leftover, MachineOrder
from worker.machines.providers.azure import AzureOptions, AzureProvider
from worker.machines.providers.base import (
    CapacityRefused,
    ProviderRefused,
    ProviderThrottled,
    ProviderUnavailable,
    QuotaRefused,
    open_provider,
)
from worker.queue import QueueTarget
from worker.queue.machines.machines import MachineState

SUBSCRIPTION = "/subscriptions/sub"
GROUP = f"{SUBSCRIPTION}/resourceGroups/fleet"
VMS = "/providers/Microsoft.Compute/virtualMachines"
SUBNET = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/v/subnets/s"
OPTIONS = {
    "subscription": "sub",
    "resource_group": "fleet",
    "location": "westeurope",
    "image": "Debian:debian-12:12-gen2:latest",
    "subnet": SUBNET,
    "ssh_public_key": "ssh-ed25519 AAAA ops",
}
ORDER = MachineOrder("f-g-a", "g", "Standard_F16s_v2", "#cloud-config\n# ö\n", storage_gb=64, spot=True)


class Arm:
    """Keeps machines by name. `power` by name; `refusal` answers the next PUT; `answers` by path go first."""

    def __init__(self, http: AnsweringServer) -> None:
        self.http = http
        self.machines: dict[str, dict[str, Any]] = {}
        self.parts: list[dict[str, Any]] = []
        self.power: dict[str, str] = {}
        self.refusal: Answer | None = None
        self.answers: dict[str, Answer] = {}
        self.page_size = 1000
        http.answer = self.answer

    def answer(self, request: Request) -> Answer:
        assert request.query.get("api-version") or "skip" in request.query
        if request.path in self.answers:
            return self.answers[request.path]
        name = request.path.rsplit("/", 1)[1]
        if request.method == "PUT":
            return self.put(name, request)
        if request.method == "DELETE":
            there = self.machines.pop(name, None)
            self.parts = [part for part in self.parts if part["id"] != request.path]
            return Answer(202 if there else 204)
        if request.path == f"{GROUP}{VMS}":
            return self.page(request, list(self.machines.values()))
        if request.path == f"{SUBSCRIPTION}{VMS}":
            return self.page(request, [self.view(name) for name in self.machines])
        if request.path == f"{GROUP}/resources":
            return self.page(request, self.parts)
        return as_json({"error": {"code": "ResourceNotFound", "message": "not found"}}, 404)

    def put(self, name: str, request: Request) -> Answer:
        if self.refusal is not None:
            return self.refusal
        if name in self.machines:
            return as_json({"error": {"code": "PreconditionFailed", "message": "it exists"}}, 412)
        assert request.headers["if-none-match"] == "*"
        there = {"id": request.path, "name": name, **request.content}
        there["properties"] |= {"provisioningState": "Creating", "timeCreated": "2026-11-28T12:00:00+00:00"}
        self.machines[name] = there
        return as_json(there, 201)

    def view(self, name: str) -> dict[str, Any]:
        code = f"PowerState/{self.power.get(name, 'running')}"
        view = {"instanceView": {"statuses": [{"code": code}]}}
        return {"id": self.machines[name]["id"].upper(), "name": name, "properties": view}

    def page(self, request: Request, rows: list[dict[str, Any]]) -> Answer:
        skip = int(request.query.get("skip", ["0"])[0])
        page: dict[str, Any] = {"value": rows[skip : skip + self.page_size]}
        if skip + self.page_size < len(rows):
            page["nextLink"] = f"{self.http.url}{request.path}?skip={skip + self.page_size}"
        return as_json(page)


class Token:
    def get_token(self, *_: str, **__: object) -> AccessToken:
        return AccessToken("t", int(time.time()) + 3600)


def provider(arm: Arm, **options: object) -> AzureProvider:
    client = ComputeManagementClient(
        Token(), "sub", base_url=arm.http.url, authentication_policy=SansIOHTTPPolicy(), retry_total=0
    )
    return AzureProvider("west", AzureOptions.model_validate({**OPTIONS, **options}), "f", client)


@pytest.fixture
def arm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Arm]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with answering(lambda _: Answer(500)) as http:
        yield Arm(http)


def test_machine_interface_and_disk_are_asked_for_at_once_and_once(arm: Arm) -> None:
    made = provider(arm).create(ORDER)
    assert made == f"{GROUP}{VMS}/f-g-a"
    assert provider(arm).create(ORDER) == made
    assert [(request.method, request.path) for request in arm.http.got] == [("PUT", made)] * 2
    tags = {"cloud-monitor-fleet": "f", "cloud-monitor-group": "g", "cloud-monitor-machine": "f-g-a"}
    assert arm.http.got[0].content == {
        "location": "westeurope",
        "tags": tags,
        "properties": {
            "hardwareProfile": {"vmSize": "Standard_F16s_v2"},
            "storageProfile": {
                "imageReference": {
                    "publisher": "Debian",
                    "offer": "debian-12",
                    "sku": "12-gen2",
                    "version": "latest",
                },
                "osDisk": {
                    "name": "f-g-a-os",
                    "createOption": "FromImage",
                    "deleteOption": "Delete",
                    "managedDisk": {"storageAccountType": "StandardSSD_LRS"},
                    "diskSizeGB": 64,
                },
            },
            "osProfile": {
                "computerName": "f-g-a",
                "adminUsername": "debian",
                "customData": base64.b64encode(ORDER.user_data.encode()).decode(),
                "linuxConfiguration": {
                    "disablePasswordAuthentication": True,
                    "ssh": {
                        "publicKeys": [
                            {"path": "/home/debian/.ssh/authorized_keys", "keyData": "ssh-ed25519 AAAA ops"}
                        ]
                    },
                },
            },
            "networkProfile": {
                "networkApiVersion": "2022-11-01",
                "networkInterfaceConfigurations": [
                    {
                        "name": "f-g-a-nic",
                        "properties": {
                            "primary": True,
                            "deleteOption": "Delete",
                            "ipConfigurations": [
                                {"name": "ip", "properties": {"primary": True, "subnet": {"id": SUBNET}}}
                            ],
                        },
                    }
                ],
            },
            "priority": "Spot",
            "evictionPolicy": "Delete",
            "billingProfile": {"maxPrice": -1},
        },
    }


def test_an_image_of_ones_own_a_zone_and_no_spot(arm: Arm) -> None:
    image = f"{GROUP}/providers/Microsoft.Compute/images/decimer"
    provider(arm, image=image, zone="2").create(replace(ORDER, spot=False, storage_gb=0))
    asked = arm.http.got[0].content
    assert (asked["zones"], asked["properties"]["storageProfile"]["imageReference"]) == (["2"], {"id": image})
    assert not {"priority", "evictionPolicy", "billingProfile"} & asked["properties"].keys()
    assert "diskSizeGB" not in asked["properties"]["storageProfile"]["osDisk"]
    with pytest.raises(ProviderRefused, match="image debian is neither an id nor"):
        provider(arm, image="debian").create(ORDER)


@pytest.mark.parametrize(
    ("provisioning", "power", "state", "fault"),
    [
        ("Creating", "", CloudState.BOOTING, ""),
        ("Succeeded", "starting", CloudState.BOOTING, ""),
        ("Succeeded", "running", CloudState.RUNNING, ""),
        ("Updating", "running", CloudState.RUNNING, ""),
        ("Succeeded", "stopped", CloudState.STOPPED, "it is stopped"),
        ("Succeeded", "deallocated", CloudState.STOPPED, "it is deallocated"),
        ("Deleting", "running", CloudState.DELETING, ""),
        ("Failed", "", CloudState.FAILED, ""),
    ],
)
def test_what_still_costs_is_told_from_what_works(
    arm: Arm, provisioning: str, power: str, state: CloudState, fault: str
) -> None:
    provider(arm).create(ORDER)
    arm.machines["f-g-a"]["properties"]["provisioningState"] = provisioning
    arm.power["f-g-a"] = power
    (found,) = provider(arm).list().machines
    assert (found.name, found.group, found.state, found.fault, found.spot, found.size, found.created_at) == (
        "f-g-a", "g", state, fault, True, "Standard_F16s_v2", 1795867200.0,
    )  # fmt: skip


def test_a_machine_that_failed_has_the_clouds_words(arm: Arm) -> None:
    made = provider(arm).create(ORDER)
    arm.machines["f-g-a"]["properties"]["provisioningState"] = "Failed"
    said = {"code": "ProvisioningState/failed/AllocationFailed", "message": "We do not have enough capacity"}
    rows = [{"id": made, "name": "f-g-a", "properties": {"instanceView": {"statuses": [said]}}}]
    arm.answers[f"{SUBSCRIPTION}{VMS}"] = as_json({"value": rows})
    assert provider(arm).list().machines[0].fault == "We do not have enough capacity"


def test_all_pages_are_read_others_machines_are_not_ours_and_an_end_is_asked_for_once(arm: Arm) -> None:
    cloud = provider(arm)
    for number in range(5):
        cloud.create(replace(ORDER, name=f"f-g-{number}"))
    arm.machines["people's"] = {**arm.machines["f-g-0"], "name": "people's", "tags": None}
    arm.page_size = 2
    names = [machine.name for machine in cloud.list().machines]
    assert names == [f"f-g-{number}" for number in range(5)]
    cloud.delete(f"{GROUP}{VMS}/f-g-0")
    cloud.delete(f"{GROUP}{VMS}/f-g-0")
    arm.answers[f"{GROUP}{VMS}/f-g-0"] = as_json({"error": {"code": "ResourceNotFound", "message": ""}}, 404)
    cloud.delete(f"{GROUP}{VMS}/f-g-0")
    assert len(cloud.list().machines) == 4


def test_disks_and_interfaces_that_outlived_their_machine_are_found_and_ended(arm: Arm) -> None:
    def part(name: str, kind: str = "Microsoft.Compute/disks", **more: object) -> dict[str, object]:
        return {"id": f"{GROUP}/providers/{kind}/{name}", "name": name, "type": kind, **more}

    nic = "Microsoft.Network/networkInterfaces"
    cloud = provider(arm)
    cloud.create(ORDER)
    arm.parts = [
        part("f-g-a-os"),
        part("f-g-old-os"),
        part("f-g-old-nic", nic),
        part("f-g-held-os", managedBy="/somebody"),
        part("f-g-theirs-os", tags={"cloud-monitor-fleet": "f-g"}),
        part("people-os"),
        part("f-data"),
    ]
    found = cloud.list().leftovers
    assert [(one.kind, one.name, one.machine) for one in found] == [
        ("disk", "f-g-old-os", "f-g-old"),
        ("nic", "f-g-old-nic", "f-g-old"),
    ]
    for one in (*found, *found):
        cloud.delete_leftover(one)
    assert cloud.list().leftovers == ()
    assert isinstance(found[0], Leftover)


@pytest.mark.parametrize("path", [f"{GROUP}{VMS}", f"{SUBSCRIPTION}{VMS}", f"{GROUP}/resources"])
@pytest.mark.parametrize(
    "answer",
    [
        as_json({}),
        as_json({"value": None}),
        as_json([]),
        as_json({"value": [{"id": "x"}]}),
        Answer(200, b"<html>log in</html>"),
        Answer(500, b"busy"),
    ],
)
def test_an_answer_that_is_not_understood_is_never_an_empty_list(arm: Arm, path: str, answer: Answer) -> None:
    arm.answers[path] = answer
    with pytest.raises(ProviderUnavailable, match="provider west"):
        provider(arm).list()


@pytest.mark.parametrize(
    ("status", "code", "words", "kind"),
    [
        (409, "OperationNotAllowed", "exceeding approved Total Regional Cores quota", QuotaRefused),
        (400, "QuotaExceeded", "Family Cores", QuotaRefused),
        (409, "SkuNotAvailable", "is currently not available in location", CapacityRefused),
        (409, "ZonalAllocationFailed", "no capacity in the zone", CapacityRefused),
        (429, "TooManyRequests", "the request limit", ProviderThrottled),
        (403, "AuthorizationFailed", "does not have authorization", ProviderRefused),
        (404, "ResourceGroupNotFound", "could not be found", ProviderRefused),
        (503, "ServiceUnavailable", "try later", ProviderUnavailable),
    ],
)
def test_refusals_are_told_apart_and_keep_the_clouds_words(
    arm: Arm, status: int, code: str, words: str, kind: type[Exception]
) -> None:
    arm.refusal = as_json({"error": {"code": code, "message": words}}, status, **{"Retry-After": "120"})
    began_s = time.monotonic()
    with pytest.raises(kind, match=f"provider west: {code}: .*{words}") as raised:
        provider(arm).create(ORDER)
    assert type(raised.value) is kind
    assert getattr(raised.value, "retry_after_s", 120) == 120
    assert time.monotonic() - began_s < 60  # not slept through here


def test_sizes_and_quota_of_the_location(arm: Arm) -> None:
    def sku(name: str, cores: int, memory_gb: float, **more: object) -> dict[str, object]:
        said = [{"name": "vCPUs", "value": str(cores)}, {"name": "MemoryGB", "value": str(memory_gb)}]
        return {"name": name, "resourceType": "virtualMachines", "capabilities": said, **more}

    arm.answers[f"{SUBSCRIPTION}/providers/Microsoft.Compute/skus"] = as_json(
        {
            "value": [
                sku("Standard_F16s_v2", 16, 32),
                sku("Standard_F32s_v2", 32, 64, restrictions=[{"reasonCode": "NotAvailableForSubscription"}]),
                sku("Standard_B2s", 2, 4),
                {"name": "Standard_F1", "resourceType": "disks"},
            ]
        }
    )
    usages = f"{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westeurope/usages"
    use = [
        {"name": {"value": "cores"}, "currentValue": 84, "limit": 100},
        {"name": {"value": "virtualMachines"}, "currentValue": 3, "limit": 25000},
    ]
    arm.answers[usages] = as_json({"value": use})
    (size,) = provider(arm).sizes()
    assert (size.name, size.cores, size.memory_gb, size.gpus) == ("Standard_F16s_v2", 16, 32, 0)
    assert provider(arm).limits().room_for(size) == 1
    assert arm.http.got[0].query["$filter"] == ["location eq 'westeurope'"]


def test_options_that_are_keys_or_missing_are_refused_without_their_values() -> None:
    with pytest.raises(ProviderRefused, match="provider w: client_secret: Extra inputs") as raised:
        open_provider("azure", "w", {**OPTIONS, "client_secret": "s3cret"}, "f")
    assert "s3cret" not in str(raised.value)
    with pytest.raises(ProviderRefused, match="provider w: ssh_public_key: String should match") as raised:
        open_provider("azure", "w", {**OPTIONS, "ssh_public_key": "-----BEGIN PRIVATE KEY-----"}, "f")
    assert "BEGIN" not in str(raised.value)


CONFIG = """
fleet = "f"
[provider.west]
kind = "azure"
[group.g]
most = 3
drain_s = 600
idle_s = 0
images_per_s = 1.2
user_data = "user-data.yaml"
[[group.g.place]]
provider = "west"
size = "Standard_F16s_v2"
"""


def test_the_manager_ends_what_is_stopped_and_what_it_left(arm: Arm, tmp_path: Path) -> None:
    scene = Scene(tmp_path, provider(arm), CONFIG)
    usages = f"{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westeurope/usages"
    names = ("cores", "virtualMachines")
    use = [{"name": {"value": name}, "currentValue": 0, "limit": 100} for name in names]
    arm.answers[usages] = as_json({"value": use})
    arm.answers[f"{SUBSCRIPTION}/providers/Microsoft.Compute/skus"] = as_json({"value": []})
    scene.work(300)
    scene.round_until(lambda: scene.states() == [MachineState.RUNNING] * 2, "two machines at work")
    for name, machine in arm.machines.items():
        sent = base64.b64decode(machine["properties"]["osProfile"]["customData"]).decode()
        assert sent == f"#cloud-config\nhostname: {name}\n"
    scene.queue.cancel(QueueTarget("b"))
    arm.parts = [{"id": f"{GROUP}/left", "name": "f-g-old-os", "type": "Microsoft.Compute/disks"}]
    scene.round_until(lambda: not scene.states() and not arm.machines, "the end of all")
    assert arm.parts == []
    scene.queue.close()
