"""The table of every metric path: its template, unit, kind, meaning, and the source that produces it.

A count that vanished is sent as 0 for a day; a gauge of something that was not read falls silent.
docs/metrics.md says the same in words, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from cloud_monitor.metrics.daemon_figures import OF_DAEMON

Kind = Literal["count", "gauge"]


class Metric(NamedTuple):
    key: str
    template: str
    unit: str
    kind: Kind
    meaning: str
    producer: str


class _Producer:
    """Writes lines of the table for one source, with templates under one prefix."""

    def __init__(self, name: str, prefix: str = "grids.{grid}.") -> None:
        self.name, self.prefix = name, prefix

    def count(self, key: str, template: str, unit: str, meaning: str) -> Metric:
        return Metric(key, self.prefix + template, unit, "count", meaning, self.name)

    def gauge(self, key: str, template: str, unit: str, meaning: str) -> Metric:
        return Metric(key, self.prefix + template, unit, "gauge", meaning, self.name)


_scheduler = _Producer("cloudscheduler", "grids.{grid}.clouds.{cloud}.")
_cloud = _Producer("clouds", "grids.{grid}.clouds.{cloud}.")  # Cloud Scheduler and HTCondor compared
_util = _Producer("clouds", "util.")
_jobs = _Producer("condor_jobs")
_slots = _Producer("condor_slots")
_fleet = _Producer("fleet")
_host = _Producer("host", "grids.{grid}.sysinfo.")
_collector = _Producer("collector")
_own = _Producer("collector", "grids.{grid}.collector.")
_source = _Producer("collector", "grids.{grid}.collector.source.{source}.")
_destination = _Producer("collector", "grids.{grid}.collector.destinations.{destination}.")
_command = _Producer("commands", "grids.{grid}.commands.{command}.")

_CLOUDS = (
    _scheduler.gauge("cloud_enabled", "enabled", "", "1 VMs may be booted on it, 0 they may not"),
    _scheduler.gauge("cloud_quota", "quota", "vms", "VMs that may run on it at once"),
    _scheduler.gauge("cloud_reachable", "reachable", "", "1 its interface answers the cloud scheduler"),
    _scheduler.count(
        "cloud_vms",
        "vms.{vmtype}.{status}",
        "vms",
        "VMs by state: starting running retiring error shutdown unknown ... and total",
    ),
    _scheduler.count("cloud_api_vms", "api-vms.{status}", "vms", "VMs as the cloud itself counts them"),
    _scheduler.gauge("cloud_cores", "cores.{share}", "cores", "cores: native foreign limit quota"),
    _scheduler.gauge("cloud_memory", "memory_mb.{share}", "MB", "memory: native foreign limit quota"),
    _cloud.gauge("cloud_mips", "mips", "MIPS", "sum of Mips over the dynamic slots of its VMs"),
    _cloud.gauge("cloud_kflops", "kflops", "KFLOPS", "sum of KFlops over the dynamic slots of its VMs"),
    _cloud.count("cloud_idle", "idle.{vmtype}", "vms", "running VMs without a busy dynamic slot"),
    _cloud.count("cloud_lost", "lost.{vmtype}", "vms", "VMs in HTCondor, unknown to the cloud scheduler"),
    _cloud.count("cloud_unreg", "unreg.{vmtype}", "vms", "running to the cloud scheduler, not in HTCondor"),
    _cloud.count("cloud_slots", "slots.{vmtype}.{slot}", "slots", "dynamic slots by name (slot1_1 ...)"),
    _cloud.count("cloud_jobs", "jobs.{jobtype}.{status}", "jobs", "jobs by the cloud whose VM runs them"),
    _util.count("live_host", "live_hosts.{grid}.{hostname}", "", "1 for each running or retiring VM"),
)

FLEET_HOST = (
    ("workers", "workers", "worker processes"),
    ("loading", "workers", "worker processes that are still loading the model"),
    ("cpu_pct", "%", "CPU in use, averaged"),
    ("memory_pct", "%", "memory in use, averaged"),
    ("temp_mb", "MB", "temporary files of the workers"),
)

_CONDOR = (
    _jobs.count(
        "jobs",
        "jobs.{jobtype}.{status}",
        "jobs",
        "unexpanded idle running removed completed held transferring_output suspended, and total",
    ),
    _jobs.count("users", "users.{user}.{status}", "jobs", "jobs of one user; other: of those above the cap"),
    _jobs.count("groups", "groups.{group}.{status}", "jobs", "jobs of one accounting group; other likewise"),
    _jobs.count("held", "held.code_{code}", "jobs", "held jobs by HoldReasonCode"),
    _jobs.gauge("condor_overflow", "condor.overflow.{names}", "names", "users or groups summed into other"),
    _jobs.gauge("wait_p50", "wait.{jobtype}.p50_s", "s", "median time in the queue of idle jobs"),
    _jobs.gauge("wait_p95", "wait.{jobtype}.p95_s", "s", "95 % of idle jobs waited no longer than this"),
    _slots.count("slots", "slots.{slottype}.{state}", "slots", "slots by type (or all) and state (or total)"),
    *(
        _slots.count(
            resource,
            f"{resource}.{{share}}",
            unit,
            f"{unit} of the slots: claimed, idle, unusable (what a partitionable slot has left is too little "
            "for a job), unavailable (state Owner or Drained), and total",
        )
        for resource, unit in (("cores", "cores"), ("memory_mb", "MB"), ("gpus", "gpus"))
    ),
    *(
        _slots.gauge(
            f"condor_{kind}_{figure.name}",
            f"condor.{kind}.{{name}}.{figure.name}",
            figure.unit,
            f"{kind}: {figure.meaning} ({figure.attribute})",
        )
        for kind, figures in OF_DAEMON.items()
        for figure in figures
    ),
)

_FLEET = (
    _fleet.count("fleet_chunks", "fleet.chunks.{status}", "chunks", "chunks of work by state, and total"),
    _fleet.gauge("fleet_chunks_paused", "fleet.chunks.paused", "chunks", "pending chunks that are paused"),
    _fleet.count("fleet_images", "fleet.images.{status}", "images", "images by state, and total"),
    _fleet.count("fleet_failures", "fleet.failures.{kind}", "images", "images with an error, by its kind"),
    _fleet.count("fleet_attempts", "fleet.attempts.{outcome}", "claims", "claims by how they ended"),
    _fleet.count("fleet_deadlines", "fleet.deadlines.{status}", "chunks", "deadlines: met missed open"),
    _fleet.gauge("fleet_next_deadline", "fleet.next_deadline_s", "s", "until the next deadline"),
    _fleet.gauge("fleet_rate", "fleet.images_per_s", "1/s", "images done a second, over the last minute"),
    _fleet.gauge("fleet_eta", "fleet.eta_s", "s", "until nothing is left, at the present rate"),
    _fleet.gauge("fleet_oldest", "fleet.oldest_pending_s", "s", "age of the oldest pending chunk"),
    _fleet.gauge(
        "fleet_cost", "fleet.cost_per_1000_images", "", "in the currency of the hosts' price per hour"
    ),
    _fleet.count(
        "fleet_gate", "fleet.gate.{subject}.{reason}", "hosts", "hosts by the reason of their last decision"
    ),
    _fleet.gauge("fleet_overflow", "fleet.overflow.{names}", "names", "hosts or failures summed into other"),
    *(
        _fleet.gauge(
            f"fleet_host_{name}", f"fleet.hosts.{{host}}.{name}", unit, f"of one worker host: {text}"
        )
        for name, unit, text in FLEET_HOST
    ),
)

_HOST = (
    _host.gauge("sysinfo_load", "load", "", "load average over one minute"),
    _host.gauge("sysinfo_cpu", "cpu", "%", "CPU time in use, of what the host or its container may use"),
    _host.gauge("sysinfo_ram", "ram", "%", "memory in use, of what the host or its container may use"),
    _host.gauge("sysinfo_swap", "swap", "%", "swap in use"),
    _host.gauge("sysinfo_si", "si", "KB/s", "memory swapped in"),
    _host.gauge("sysinfo_so", "so", "KB/s", "memory swapped out"),
    _host.gauge("sysinfo_disk", "disk", "%", "in use, of the fullest watched file system"),
    _host.gauge("sysinfo_disks", "disks.{mount}", "%", "in use, of one watched file system"),
    _host.gauge("sysinfo_net_in", "net_in", "B/s", "received on all interfaces but loopback"),
    _host.gauge("sysinfo_net_out", "net_out", "B/s", "sent on all interfaces but loopback"),
    _host.gauge("sysinfo_cores", "cores", "cores", "cores that the host or its container may use"),
    _host.gauge("sysinfo_ram_mb", "ram_mb", "MB", "memory that the host or its container may use"),
    _host.gauge("sysinfo_pressure", "pressure.{resource}", "%", "time that a task waited for cpu memory io"),
)

_SPOOL = (
    ("spooled_points", "points", "points that wait on disk to be delivered"),
    ("spool_age_s", "s", "age of the oldest point that waits"),
    ("dropped_points", "points", "points given up since the spool began: too old, or the spool was full"),
    ("resent_points", "points", "points sent more than once since the spool began"),
)

_COLLECTOR = (
    _collector.gauge(
        "heartbeat",
        "heartbeat.{service}",
        "",
        "1 the service answered, 0 it did not: cloud_monitor cloud_scheduler condor fleet",
    ),
    _own.gauge("collector_duration", "duration_s", "s", "from start until every source had ended"),
    _own.gauge("collector_points", "points", "points", "points of this run"),
    _own.gauge("collector_failures", "failures", "sources", "sources that failed in this run"),
    _source.gauge("source_duration", "duration_s", "s", "time that one source took"),
    _source.gauge("source_points", "points", "points", "points that one source gave"),
    _source.gauge("source_failed", "failed", "", "1 the source failed, 0 it did not"),
    _own.gauge("owner", "owners.{owner}", "", "1 a collector on this host owns the grid's totals"),
    _own.gauge("proof", "proof.{destination}.{turn}", "", "number of a frame, read back as proof"),
    *(_own.gauge(f"collector_{name}", name, unit, meaning) for name, unit, meaning in _SPOOL),
    *(
        _destination.gauge(f"destination_{name}", name, unit, f"{text}; of one")
        for name, unit, text in _SPOOL
    ),
)

_COMMANDS = (
    _command.gauge("command", "{figure}", "", "a value that a command of the operator printed"),
    _command.gauge("command_grouped", "{group}.{figure}", "", "the same, in a group"),
)


def _of_further_host(metric: Metric) -> Metric:
    """The same figure of a further scheduler host, which leaves the grid's own paths to their owner."""
    template = metric.template.replace("grids.{grid}.", "grids.{grid}.hosts.{host}.", 1)
    return metric._replace(key=f"host_{metric.key}", template=template)


_OF_ANY_HOST = (*_HOST, *_COLLECTOR, *_COMMANDS)

METRICS: tuple[Metric, ...] = (
    *_CLOUDS,
    *_CONDOR,
    *_FLEET,
    *_OF_ANY_HOST,
    *(_of_further_host(metric) for metric in _OF_ANY_HOST),
)

# A service whose heartbeat is published -> the producers that fall silent with it. `cloud_monitor` is the
# collector itself, which writes everything, the other heartbeats too.
PRODUCERS_OF_SERVICE: Mapping[str, frozenset[str]] = {
    "cloud_monitor": frozenset(metric.producer for metric in METRICS),
    "cloud_scheduler": frozenset({_scheduler.name, _cloud.name}),
    "condor": frozenset({_jobs.name, _slots.name, _cloud.name}),
    "fleet": frozenset({_fleet.name}),
}
