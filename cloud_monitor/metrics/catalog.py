"""The table of every metric: template of its path, unit, kind, statistic over time, meaning, and producer.

A figure is written here once: storage aggregation, plots, the page, HELP texts and docs/metrics.md read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from cloud_monitor.metrics.daemon_figures import OF_DAEMON
from cloud_monitor.metrics.statistics import LAST, MAX, MEAN, SUM, Statistic

Kind = Literal["count", "gauge"]
"""A count that vanished is sent as 0 for a day; a gauge of something that was not read falls silent."""

About = Literal["grid", "host", "cloud", "vm"]
"""What a figure is a figure of. A host is the grid's head node, or a further scheduler host of it."""


class Metric(NamedTuple):
    key: str
    template: str
    unit: str  # one of UNITS
    kind: Kind
    meaning: str
    producer: str  # one of PRODUCERS
    statistic: Statistic  # of the points in a longer step
    about: About
    family: str  # figures of one thing that belong into one table have one family


class Producer(NamedTuple):
    """What gives figures: a source of the collector, or a step of it that puts several sources together."""

    title: str
    heartbeats: tuple[str, ...]  # services whose silence is the reason when these figures are old


PRODUCERS: Mapping[str, Producer] = {
    "cloudscheduler": Producer("Cloud Scheduler", ("cloud_scheduler",)),
    "clouds": Producer("Cloud Scheduler and HTCondor compared", ("cloud_scheduler", "condor")),
    "commands": Producer("Commands of the operator", ("cloud_monitor",)),
    "condor_jobs": Producer("HTCondor, jobs", ("condor",)),
    "condor_slots": Producer("HTCondor, machines and daemons", ("condor",)),
    "host": Producer("Head node", ("cloud_monitor",)),
    "collector": Producer("The collector itself", ("cloud_monitor",)),
    "fleet": Producer("Worker fleet", ("fleet",)),
    "azure": Producer("Azure", ("azure",)),
}

COLLECTOR_SERVICE = "cloud_monitor"  # the heartbeat of the collector itself, which writes all others too
SERVICES = tuple(
    dict.fromkeys(
        (COLLECTOR_SERVICE, *(service for producer in PRODUCERS.values() for service in producer.heartbeats))
    )
)


class Unit(NamedTuple):
    """A unit's base form: `factor` of it are one of the unit. A count of something has no base."""

    base: str = ""
    factor: float = 1.0


UNITS: Mapping[str, Unit] = {
    "": Unit(),
    "s": Unit("seconds"),
    "%": Unit("percent"),
    "MB": Unit("bytes", 1e6),
    "MiB": Unit("bytes", 2**20),
    "B/s": Unit("bytes_per_second"),
    "KiB/s": Unit("bytes_per_second", 2**10),
    "1/s": Unit("per_second"),
    "MIPS": Unit("mips"),
    "KFLOPS": Unit("flops", 1e3),
    **dict.fromkeys(
        ("chunks", "claims", "cores", "gpus", "hosts", "images", "jobs", "names", "points", "schedds"), Unit()
    ),
    **dict.fromkeys(("machines", "pages", "slots", "sources", "users", "vms", "workers"), Unit()),
}

GRID = "grids.{grid}."
FURTHER_HOST = "grids.{grid}.hosts.{host}."
_CLOUD = "grids.{grid}.clouds.{cloud}."


class _Table:
    """Writes lines of the table for one producer, with templates under one prefix."""

    def __init__(self, producer: str, prefix: str = GRID, about: About = "grid", family: str = "") -> None:
        self.producer, self.prefix, self.about, self.family = producer, prefix, about, family

    def count(
        self, key: str, template: str, unit: str, meaning: str, over_time: Statistic = MEAN, family: str = ""
    ) -> Metric:
        return self._metric(key, template, unit, "count", meaning, over_time, family)

    def gauge(
        self, key: str, template: str, unit: str, meaning: str, over_time: Statistic = MEAN, family: str = ""
    ) -> Metric:
        return self._metric(key, template, unit, "gauge", meaning, over_time, family)

    def _metric(
        self, key: str, template: str, unit: str, kind: Kind, meaning: str, over_time: Statistic, family: str
    ) -> Metric:
        family = family or self.family or key
        path = self.prefix + template
        return Metric(key, path, unit, kind, meaning, self.producer, over_time, self.about, family)


_scheduler = _Table("cloudscheduler", _CLOUD, "cloud")
_cloud = _Table("clouds", _CLOUD, "cloud")  # Cloud Scheduler and HTCondor compared
_util = _Table("clouds", "util.", "vm")
_jobs = _Table("condor_jobs")
_slots = _Table("condor_slots")
_fleet = _Table("fleet")
_azure = _Table("azure", GRID + "azure.")
_host = _Table("host", "grids.{grid}.sysinfo.", "host", "sysinfo")
_collector = _Table("collector", about="host")
_own = _Table("collector", "grids.{grid}.collector.", "host", "collector")
_source = _Table("collector", "grids.{grid}.collector.source.{source}.", "host", "sources")
_destination = _Table(
    "collector", "grids.{grid}.collector.destinations.{destination}.", "host", "destinations"
)
_command = _Table("commands", "grids.{grid}.commands.{command}.", "host")

_CLOUDS = (
    _scheduler.gauge("cloud_enabled", "enabled", "", "1 VMs may be booted on it, 0 they may not"),
    _scheduler.gauge("cloud_quota", "quota", "vms", "VMs that may run on it at once", LAST),
    _scheduler.gauge("cloud_reachable", "reachable", "", "1 its interface answers the cloud scheduler"),
    _scheduler.count(
        "cloud_vms",
        "vms.{vmtype}.{status}",
        "vms",
        "VMs by state: starting running retiring error shutdown unknown ... and total",
    ),
    _scheduler.count("cloud_api_vms", "api-vms.{status}", "vms", "VMs as the cloud itself counts them"),
    _scheduler.gauge("cloud_cores", "cores.{share}", "cores", "cores: native foreign limit quota"),
    _scheduler.gauge("cloud_memory", "memory_mb.{share}", "MiB", "memory: native foreign limit quota"),
    _cloud.gauge("cloud_mips", "mips", "MIPS", "sum of Mips over the dynamic slots of its VMs"),
    _cloud.gauge("cloud_kflops", "kflops", "KFLOPS", "sum of KFlops over the dynamic slots of its VMs"),
    _cloud.count("cloud_idle", "idle.{vmtype}", "vms", "running VMs without a busy dynamic slot"),
    _cloud.count("cloud_lost", "lost.{vmtype}", "vms", "VMs in HTCondor, unknown to the cloud scheduler"),
    _cloud.count("cloud_unreg", "unreg.{vmtype}", "vms", "running to the cloud scheduler, not in HTCondor"),
    _cloud.count("cloud_slots", "slots.{vmtype}.{slot}", "slots", "dynamic slots by name (slot1_1 ...)"),
    _cloud.count("cloud_jobs", "jobs.{jobtype}.{status}", "jobs", "jobs by the cloud whose VM runs them"),
    _util.count("live_host", "live_hosts.{grid}.{hostname}", "", "1 for each running or retiring VM"),
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
    _jobs.count(
        "schedd_jobs",
        "condor.schedds.{schedd}.jobs.{status}",
        "jobs",
        "jobs of one schedd that the settings name",
    ),
    *(
        _jobs.gauge(f"condor_{outcome}", f"condor.peers.{{peers}}.{outcome}", "", meaning, family="peers")
        for outcome, meaning in (
            ("asked", "schedds or pools that sums over jobs or slots are made of"),
            ("answered", "those of them that answered; fewer than asked: the sums lack the others"),
        )
    ),
    _jobs.gauge("condor_overflow", "condor.overflow.{names}", "names", "users or groups summed into other"),
    _jobs.gauge(
        "wait_p50", "wait.{jobtype}.p50_s", "s", "median time in the queue of idle jobs", MAX, "wait"
    ),
    _jobs.gauge(
        "wait_p95", "wait.{jobtype}.p95_s", "s", "95 % of idle jobs waited no longer than this", MAX, "wait"
    ),
    _slots.count("slots", "slots.{slottype}.{state}", "slots", "slots by type (or all) and state (or total)"),
    *(
        _slots.count(
            resource,
            f"{resource}.{{share}}",
            unit,
            f"{text} of the slots: claimed, idle, unusable (what a partitionable slot has left is too little "
            "for a job), unavailable (state Owner or Drained), and total",
        )
        for resource, unit, text in (
            ("cores", "cores", "cores"),
            ("memory_mb", "MiB", "memory"),
            ("gpus", "gpus", "GPUs"),
        )
    ),
    *(
        _slots.gauge(
            f"condor_{kind}_{figure.name}",
            f"condor.{kind}.{{name}}.{figure.name}",
            figure.unit,
            f"{kind}: {figure.meaning} ({figure.attribute})",
            figure.statistic,
            f"condor_{kind}",
        )
        for kind, figures in OF_DAEMON.items()
        for figure in figures
    ),
)

_FLEET_HOST = (
    ("workers", "workers", "worker processes", MEAN),
    ("loading", "workers", "worker processes that are still loading the model", MEAN),
    ("held_workers", "workers", "workers that hold back: their host cannot do what others can", MEAN),
    ("cpu_pct", "%", "CPU in use, averaged", MEAN),
    ("memory_pct", "%", "memory in use, averaged", MEAN),
    ("temp_mb", "MB", "temporary files of the workers", MEAN),
    ("temp_limit_mb", "MB", "that its temporary files may take", LAST),
    ("storage_pct", "%", "in use, of the file system of its temporary files", MEAN),
    ("net_in", "B/s", "received on all interfaces but loopback", MEAN),
    ("net_out", "B/s", "sent on all interfaces but loopback", MEAN),
    ("gpu_pct", "%", "of its GPUs in use, their mean", MEAN),
    ("gpu_memory_pct", "%", "of its GPUs' memory in use", MEAN),
    ("pages_total", "pages", "pages of memory", LAST),
    ("pages_free", "pages", "pages of memory that are free", MEAN),
    ("fragmentation_pct", "%", "of the free pages, those that no huge page can be made of", MEAN),
)

_COST = "in the currency of the machines' prices"
_FLEET_GROUP = (  # of a group of machines
    ("wanted", "machines", "machines that its rule wants", MEAN),
    ("failed", "machines", "machines with a fault that the cloud or the manager told", MEAN),
    ("costing", "machines", "stopped machines, disks and ports that still cost and could not be ended", MEAN),
    ("room", "machines", "machines that the quotas of its places leave, where they are known", LAST),
    ("quota_pct", "%", "quota in use, of what is nearest to its limit", LAST),
    ("boot_s", "s", "from asking for a machine to its first report, as learned", MAX),
    ("images_per_s", "1/s", "images a second of one machine while it works, as learned", LAST),
    ("cost_per_hour", "", f"cost of the machines there are, {_COST}", MEAN),
    ("cost_month", "", f"cost since the month (UTC) began, {_COST}", LAST),
    ("cost_projected", "", f"cost at the month's end should all machines stay, {_COST}", LAST),
    ("cost_most", "", f"the month's cost at which it stops growing, {_COST}", LAST),
    ("cost_per_1000_images", "", f"of its last machines with their idle time, {_COST}", LAST),
    ("stopped", "", "1 it makes no machine until it is resumed: they died young; 0 it does", LAST),
    ("paused", "", "1 an operator paused it, 0 nobody did", LAST),
)
_FLEET_MACHINE = (  # of one machine of a group
    ("cost", "", f"cost so far, {_COST}", LAST),
    ("age_s", "s", "since it was asked for", MAX),
    ("images_done", "images", "images done on it", LAST),
)
_MACHINES = (
    _fleet.count(
        "fleet_machines_states", "fleet.machines.{group}.states.{state}", "machines",
        "machines of a group by state: wished booting running draining deleting, and total",
    ),
    *(
        _fleet.gauge(
            f"fleet_machines_{name}", f"fleet.machines.{{group}}.{name}", unit,
            f"of one group of machines: {text}", over_time, "fleet_machines",
        )
        for name, unit, text, over_time in _FLEET_GROUP
    ),
    _fleet.count(
        "fleet_machines_decision", "fleet.machines.{group}.decision.{reason}", "",
        "1 by what decided last how many machines a group shall have: deadline settling most ...", LAST,
    ),
    *(
        _fleet.gauge(
            f"fleet_machine_{name}", f"fleet.machines.{{group}}.each.{{machine}}.{name}", unit,
            f"of one machine: {text}", over_time, "fleet_machine",
        )
        for name, unit, text, over_time in _FLEET_MACHINE
    ),
    *(
        _fleet.count(
            f"fleet_scaling_{name}", f"fleet.scaling.{{group}}.{name}", "machines",
            f"of one group of machines: {text} within the last hour", LAST, "fleet_scaling",
        )
        for name, text in (
            ("up", "machines made"),
            ("down", "machines that ended"),
            ("failed", "machines that ended by a fault"),
        )
    ),
    _fleet.gauge(
        "fleet_manager_silent", "fleet.manager.silent_s", "s", "since the manager of machines was there", MAX,
        "fleet_manager",
    ),
)  # fmt: skip

_FLEET_BATCH = (  # of one batch: those with work left, and an hour longer
    ("images", "images", "images of it", LAST),
    ("waiting", "images", "images that may still get a result", LAST),
    ("read", "images", "images with an answer", LAST),
    ("failed", "images", "images with an error, or given up with their chunk", LAST),
    ("doubtful", "images", "answers whose least token confidence is low", LAST),
    ("images_per_s", "1/s", "images done a second: the fleet's, by its part of the active chunks", MEAN),
    ("remaining_s", "s", "until nothing of it is left, at the present pace", MAX),
    ("deadline_s", "s", "until its deadline, below 0 after it, while there is work left", LAST),
    ("margin_s", "s", "from when it will be ready to its deadline, below 0 where that is late", LAST),
    ("met", "chunks", "chunks done by its deadline", LAST),
    ("missed", "chunks", "chunks not done by it", LAST),
    ("claims", "claims", "claims of its chunks", LAST),
    ("retries", "claims", "claims of a chunk after its first", LAST),
    ("cpu_s", "s", "CPU time of its workers", LAST),
    ("wall_s", "s", "time that its workers took, each counted", LAST),
    ("peak_memory_mb", "MB", "most memory that one worker took", LAST),
    ("cost", "", f"of its hosts while they had work, {_COST}", LAST),
    ("paused", "", "1 it is paused, 0 it is not", LAST),
)
# What a queue holds changes by work alone, so its state at the end of a step says how far the work is.
_FLEET = (
    _fleet.count(
        "fleet_chunks", "fleet.chunks.{status}", "chunks", "chunks of work by state, and total", LAST
    ),
    _fleet.gauge(
        "fleet_chunks_paused", "fleet.chunks.paused", "chunks", "pending chunks that are paused", LAST,
        "fleet_chunks",
    ),
    _fleet.count("fleet_images", "fleet.images.{status}", "images", "images by state, and total", LAST),
    _fleet.count(
        "fleet_failures", "fleet.failures.{kind}", "images", "images with an error, by its kind", LAST
    ),
    _fleet.count("fleet_attempts", "fleet.attempts.{outcome}", "claims", "claims by how they ended", LAST),
    _fleet.count("fleet_deadlines", "fleet.deadlines.{status}", "chunks", "deadlines: met missed open", LAST),
    *(
        _fleet.gauge(key, f"fleet.{name}", unit, meaning, over_time, "fleet")
        for key, name, unit, meaning, over_time in (
            ("fleet_next_deadline", "next_deadline_s", "s", "until the next deadline", LAST),
            ("fleet_rate", "images_per_s", "1/s", "images done a second, over the last minute", MEAN),
            ("fleet_eta", "eta_s", "s", "until nothing is left, at the present rate", MAX),
            ("fleet_oldest", "oldest_pending_s", "s", "age of the oldest pending chunk", MAX),
            ("fleet_cost", "cost_per_1000_images", "", "in the currency of the hosts' price per hour", MEAN),
            ("fleet_held", "held", "", "1 the whole fleet is held (pause --all), 0 it is not", LAST),
        )
    ),
    _fleet.count(
        "fleet_gate", "fleet.gate.{subject}.{reason}", "hosts", "hosts by the reason of their last decision"
    ),
    _fleet.gauge(
        "fleet_overflow", "fleet.overflow.{names}", "names",
        "hosts or failures summed into other, batches, machines or groups of them left out",
    ),
    *(
        _fleet.gauge(
            f"fleet_host_{name}", f"fleet.hosts.{{host}}.{name}", unit, f"of one worker host: {text}",
            over_time, "fleet_hosts",
        )
        for name, unit, text, over_time in _FLEET_HOST
    ),
    *(
        _fleet.gauge(
            f"fleet_batch_{name}", f"fleet.batches.{{batch}}.{name}", unit, f"of one batch: {text}",
            over_time, "fleet_batches",
        )
        for name, unit, text, over_time in _FLEET_BATCH
    ),
)  # fmt: skip

_AZURE = (
    *(
        _azure.gauge(
            f"azure_vm_{name}", f"vms.{{vm}}.{name}", "%", f"of one VM: {text}", family="azure_vms"
        )
        for name, text in (
            ("cpu_pct", "CPU in use, over five minutes"),
            ("memory_available_pct", "memory that is free"),
            ("disk_pct", "of the operations or bandwidth that its busiest disk may do"),
        )
    ),
    *(
        _azure.gauge(
            f"azure_storage_{name}", f"storage.{{account}}.{name}", unit, f"of one storage account: {text}",
            LAST, "azure_storage",
        )
        for name, unit, text in (
            ("used_mb", "MB", "used capacity"),
            ("limit_mb", "MB", "capacity that it may have"),
            ("used_pct", "%", "used of the capacity that it may have"),
        )
    ),
    *(
        _azure.gauge(
            f"azure_quota_{name}", f"quotas.{{place}}.{{quota}}.{name}", unit,
            f"quota of cores or storage accounts: {text}", LAST, "azure_quotas",
        )
        for name, unit, text in (
            ("used", "", "what is used of it"),
            ("limit", "", "how much it is"),
            ("used_pct", "%", "what is used of it"),
        )
    ),
    _azure.gauge(
        "azure_age", "age_s", "s", "age of the oldest of these figures; asked for each 5 min", MAX, "azure"
    ),
    _azure.gauge("azure_calls", "calls", "", "calls of the last round of questions", LAST, "azure"),
)  # fmt: skip

_HOST = (
    _host.gauge("sysinfo_load", "load", "", "load average over one minute"),
    _host.gauge("sysinfo_cpu", "cpu", "%", "CPU time in use, of what the host or its container may use"),
    _host.gauge("sysinfo_ram", "ram", "%", "memory in use, of what the host or its container may use"),
    _host.gauge("sysinfo_swap", "swap", "%", "swap in use"),
    _host.gauge("sysinfo_si", "si", "KiB/s", "memory swapped in"),
    _host.gauge("sysinfo_so", "so", "KiB/s", "memory swapped out"),
    _host.gauge("sysinfo_disk", "disk", "%", "in use, of the fullest watched file system"),
    _host.gauge("sysinfo_disks", "disks.{mount}", "%", "in use, of one watched file system", family="disks"),
    _host.gauge("sysinfo_net_in", "net_in", "B/s", "received on all interfaces but loopback"),
    _host.gauge("sysinfo_net_out", "net_out", "B/s", "sent on all interfaces but loopback"),
    _host.gauge("sysinfo_cores", "cores", "cores", "cores that the host or its container may use", LAST),
    _host.gauge("sysinfo_ram_mb", "ram_mb", "MiB", "memory that the host or its container may use", LAST),
    _host.gauge(
        "sysinfo_pressure", "pressure.{resource}", "%", "time that a task waited for cpu memory io",
        family="pressure",
    ),
)  # fmt: skip

_SPOOL = (
    ("spooled_points", "points", "points that wait on disk to be delivered", MEAN),
    ("spool_age_s", "s", "age of the oldest point that waits", MAX),
    ("dropped_points", "points", "points given up since the spool began: too old, or it was full", LAST),
    ("resent_points", "points", "points sent more than once since the spool began", LAST),
)  # fmt: skip

_COLLECTOR = (
    _collector.gauge(
        "heartbeat",
        "heartbeat.{service}",
        "",
        f"1 the service answered, 0 it did not: {' '.join(SERVICES)}",
    ),
    _own.gauge("collector_duration", "duration_s", "s", "from start until every source had ended", MAX),
    _own.gauge("collector_points", "points", "points", "points of this run"),
    _own.gauge("collector_failures", "failures", "sources", "sources that failed in this run", SUM),
    _own.gauge(
        "collector_clock",
        "clock_s",
        "s",
        "clock of the host as the run ended, in epoch seconds",
        MAX,
        "clock",
    ),
    _source.gauge("source_duration", "duration_s", "s", "time that one source took", MAX),
    _source.gauge("source_points", "points", "points", "points that one source gave"),
    _source.gauge("source_failed", "failed", "", "1 the source failed, 0 it did not"),
    _own.gauge(
        "owner", "owners.{owner}", "", "1 a collector on this host owns the grid's totals", family="owners"
    ),
    _own.gauge(
        "proof", "proof.{destination}.{slot}", "", "number of a frame, read back as proof", LAST, "proof"
    ),
    *(_own.gauge(f"collector_{name}", name, unit, text, over_time) for name, unit, text, over_time in _SPOOL),
    *(
        _destination.gauge(f"destination_{name}", name, unit, f"{text}; of one", over_time)
        for name, unit, text, over_time in _SPOOL
    ),
)

_COMMANDS = (
    _command.gauge("command", "{figure}", "", "a value that a command of the operator printed"),
    _command.gauge("command_grouped", "{group}.{figure}", "", "the same, in a group"),
)


def _of_further_host(metric: Metric) -> Metric:
    """The same figure of a further scheduler host, which leaves the grid's own paths to their owner."""
    template = metric.template.replace(GRID, FURTHER_HOST, 1)
    return metric._replace(key=f"host_{metric.key}", template=template)


def is_of_further_host(metric: Metric) -> bool:
    return metric.template.startswith(FURTHER_HOST)


_OF_ANY_HOST = (*_HOST, *_COLLECTOR, *_COMMANDS)

METRICS: tuple[Metric, ...] = (
    *_CLOUDS,
    *_CONDOR,
    *_FLEET,
    *_MACHINES,
    *_AZURE,
    *_OF_ANY_HOST,
    *(_of_further_host(metric) for metric in _OF_ANY_HOST),
)

BY_KEY: Mapping[str, Metric] = {metric.key: metric for metric in METRICS}

# A service whose heartbeat is published -> the producers that fall silent with it
PRODUCERS_OF_SERVICE: Mapping[str, frozenset[str]] = {
    service: frozenset(
        name
        for name, producer in PRODUCERS.items()
        if service == COLLECTOR_SERVICE or service in producer.heartbeats
    )
    for service in SERVICES
}
