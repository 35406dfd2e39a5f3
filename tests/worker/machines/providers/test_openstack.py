"""How an OpenStack's answers are read, also those that Nova does not give for the asking."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import openstack
import pytest

from tests.services.answering import Answer, AnsweringServer, Request, answering, as_json
from worker.machines.model import CloudState, Leftover, MachineOrder
from worker.machines.providers.base import (
    ProviderRefused,
    ProviderThrottled,
    ProviderUnavailable,
    QuotaRefused,
    open_provider,
)
from worker.machines.providers.openstack import OpenStackOptions, OpenStackProvider

ORDER = MachineOrder("f-g-a1", "g", "c2")
FLAVORS = {"flavors": [{"id": "7", "name": "c2", "vcpus": 2, "ram": 4096, "disk": 20}]}


def version(number: str, at: str) -> Answer:
    """What an endpoint says of itself."""
    links = [{"rel": "self", "href": at}]
    compute = {"version": "2.96", "min_version": "2.1"} if number == "v2.1" else {}
    return as_json({"version": {"id": number, "status": "CURRENT", "links": links, **compute}})


def server(name: str, number: str, status: str = "ACTIVE", fleet: str = "f", **more: Any) -> dict[str, Any]:
    metadata = {"cloud-monitor-fleet": fleet, "cloud-monitor-group": "g", "cloud-monitor-machine": name}
    flavor = {"original_name": "c2"}
    return {
        "id": number, "name": name, "status": status, "metadata": metadata, "flavor": flavor,
        "created": "2026-11-28T12:00:00Z", **more,
    }  # fmt: skip


class Cloud:
    """A compute and a network endpoint in one; `answers` by path, in place of the usual ones."""

    def __init__(self, http: AnsweringServer) -> None:
        self.http = http
        self.answers: dict[str, Callable[[Request], Answer]] = {
            "/servers/detail": lambda _: as_json({"servers": []}),
            "/flavors/detail": lambda _: as_json(FLAVORS),
            "/v2.0/ports": lambda _: as_json({"ports": []}),
            "/network": lambda _: version("v2.0", f"{http.url}/v2.0"),
        }
        http.answer = self.answer
        connection = openstack.connection.Connection(
            auth_type="admin_token",
            auth={"endpoint": http.url, "token": "x"},
            compute_endpoint_override=http.url,
            network_endpoint_override=f"{http.url}/network",
            api_timeout=10,
        )
        options = OpenStackOptions(image="155d900f-4e14-4e4c-a73d-069cbf4541e6")
        self.provider = OpenStackProvider("victoria", options, "f", connection)

    def answer(self, request: Request) -> Answer:
        answer = self.answers.get(request.path)
        return version("v2.1", "/") if answer is None else answer(request)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    for name in ("http_proxy", "HTTP_PROXY", "OS_CLOUD"):
        monkeypatch.delenv(name, raising=False)
    with answering(lambda _: as_json({})) as http:
        yield Cloud(http)


def test_servers_of_all_pages_are_listed_with_their_states_and_faults(cloud: Cloud) -> None:
    first = [
        server("f-g-a", "1", "BUILD"),
        server("f-g-b", "2", "ERROR", fault={"message": "No valid host was found.", "code": 500}),
        server("other", "3", fleet="other"),
    ]
    second = [
        server("f-g-d", "4", "SHUTOFF"),
        server("f-g-e", "5", **{"OS-EXT-STS:task_state": "deleting"}),
        server("f-g-f", "6", "ERROR", **{"OS-EXT-STS:task_state": "deleting"}),
        {**server("people's", "7"), "metadata": {}},
    ]

    def pages(request: Request) -> Answer:
        if "marker" in request.query:
            return as_json({"servers": second})
        link = {"rel": "next", "href": f"{cloud.http.url}/servers/detail?marker=3"}
        return as_json({"servers": first, "servers_links": [link]})

    cloud.answers["/servers/detail"] = pages
    found = {machine.name: (machine.state, machine.fault) for machine in cloud.provider.list().machines}
    assert found == {
        "f-g-a": (CloudState.BOOTING, ""),
        "f-g-b": (CloudState.FAILED, "No valid host was found."),
        "f-g-d": (CloudState.STOPPED, ""),
        "f-g-e": (CloudState.DELETING, ""),
        "f-g-f": (CloudState.FAILED, ""),  # it hangs: its end is asked for again
    }
    assert {machine.created_at for machine in cloud.provider.list().machines} == {1795867200.0}


@pytest.mark.parametrize(
    "answer",
    [
        as_json({}),
        as_json({"servers": None}),
        as_json({"servers": {}}),
        as_json({"servers": [{"id": "1"}]}),
        as_json([]),
        Answer(200, b"<html>log in</html>"),
        Answer(503, b"busy"),
    ],
)
def test_an_answer_that_is_not_understood_is_never_an_empty_list(cloud: Cloud, answer: Answer) -> None:
    cloud.answers["/servers/detail"] = lambda _: answer
    with pytest.raises(ProviderUnavailable, match="provider victoria"):
        cloud.provider.list()


def test_a_list_that_breaks_off_after_a_page_is_no_list(cloud: Cloud) -> None:
    def pages(request: Request) -> Answer:
        link = {"rel": "next", "href": f"{cloud.http.url}/servers/detail?marker=1"}
        whole = as_json({"servers": [server("f-g-a", "1")], "servers_links": [link]})
        return Answer(502, b"bad gateway") if "marker" in request.query else whole

    cloud.answers["/servers/detail"] = pages
    with pytest.raises(ProviderUnavailable):
        cloud.provider.list()


def test_ports_of_servers_that_are_no_more_are_left_over(cloud: Cloud) -> None:
    def port(number: str, device: str, dns_name: str, owner: str = "compute:nova") -> dict[str, str]:
        return {"id": number, "name": "", "device_id": device, "dns_name": dns_name, "device_owner": owner}

    cloud.answers["/servers"] = lambda _: as_json({"servers": [{"id": "1", "name": "f-g-a"}]})
    cloud.answers["/v2.0/ports"] = lambda _: as_json(
        {
            "ports": [
                port("p1", "1", "f-g-a"),
                port("p2", "gone", "f-g-b"),
                port("p3", "gone", "people"),
                port("p4", "gone", "f-g-c", "network:dhcp"),
            ]
        }
    )
    (leftover,) = cloud.provider.list().leftovers
    assert leftover == Leftover("port", "p2", "p2", "f-g-b")
    cloud.answers["/v2.0/ports/p2"] = lambda _: Answer(204)
    cloud.provider.delete_leftover(leftover)
    assert (cloud.http.got[-1].method, cloud.http.got[-1].path) == ("DELETE", "/v2.0/ports/p2")
    cloud.answers["/v2.0/ports/p2"] = lambda _: as_json({"NeutronError": {"message": "no"}}, 404)
    cloud.provider.delete_leftover(leftover)  # gone already


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (
            as_json({"forbidden": {"code": 403, "message": "Quota exceeded for cores: Requested 8"}}, 403),
            QuotaRefused,
            "Quota exceeded for cores: Requested 8",
        ),
        (as_json({"forbidden": {"message": "Policy doesn't allow it"}}, 403), ProviderRefused, "Policy"),
        (as_json({"badRequest": {"message": "Image is not active"}}, 400), ProviderRefused, "not active"),
        (
            as_json({"overLimit": {"message": "slow down"}}, 429, **{"Retry-After": "17"}),
            ProviderThrottled,
            "slow down",
        ),
        (as_json({"computeFault": {"message": "boom"}}, 500), ProviderUnavailable, "boom"),
    ],
)  # fmt: skip
def test_refusals_are_told_apart_and_keep_the_clouds_words(
    cloud: Cloud, answer: Answer, kind: type[Exception], words: str
) -> None:
    cloud.answers["/servers"] = lambda _: answer
    with pytest.raises(kind, match=words) as raised:
        cloud.provider.create(ORDER)
    assert type(raised.value) is kind
    assert getattr(raised.value, "retry_after_s", 17) == 17


def test_a_volume_ends_with_its_machine_and_a_size_unknown_is_refused_by_name(cloud: Cloud) -> None:
    options = OpenStackOptions(image="155d900f-4e14-4e4c-a73d-069cbf4541e6", volume=True, key_name="ops")
    provider = OpenStackProvider("victoria", options, "f", cloud.provider._cloud)
    cloud.answers["/servers"] = lambda _: as_json({"server": {"id": "1"}}, 202)
    provider.create(MachineOrder("f-g-a", "g", "c2", storage_gb=80))
    request = cloud.http.got[-1].content["server"]
    (disk,) = request["block_device_mapping_v2"]
    assert (disk["volume_size"], disk["delete_on_termination"], request["key_name"]) == (80, True, "ops")
    assert "imageRef" not in request or not request["imageRef"]
    with pytest.raises(ProviderRefused, match="there is no flavor c64"):
        provider.create(MachineOrder("f-g-a", "g", "c64"))


def test_options_that_are_keys_or_wrong_are_refused_without_their_values() -> None:
    with pytest.raises(ProviderRefused, match="provider v: password: Extra inputs") as raised:
        open_provider("openstack", "v", {"image": "debian", "password": "s3cret"}, "f")
    assert "s3cret" not in str(raised.value)
    with pytest.raises(ProviderRefused, match="provider v: Cloud nowhere was not found"):
        open_provider("openstack", "v", {"image": "debian", "cloud": "nowhere"}, "f")
