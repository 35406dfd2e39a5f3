"""What is published of each HTCondor daemon: a figure's name, the attribute it is read from, unit, meaning.

Attribute names and units are those of the HTCondor manual's appendix on ClassAd attributes. `Recent*`
attributes cover the last 20 minutes (RecentWindowMax), the others run since the daemon started. A figure is a
sum, a level or a quotient as the daemon has it; scale only changes its unit.
"""

from __future__ import annotations

from typing import NamedTuple

from cloud_monitor.metrics.statistics import LAST, MAX, MEAN, Statistic


class Figure(NamedTuple):
    name: str
    attribute: str
    unit: str
    meaning: str
    statistic: Statistic = MEAN  # over time
    scale: float = 1.0


_KB_IN_MB = 1 / 1024

OF_EVERY_DAEMON = (
    Figure("duty_cycle", "RecentDaemonCoreDutyCycle", "", "share of time at work: over 0.95 is overloaded"),
    Figure("cpu_pct", "MonitorSelfCPUUsage", "%", "CPU time of the daemon"),
    Figure(
        "memory_mb", "MonitorSelfResidentSetSize", "MiB", "resident memory of the daemon", scale=_KB_IN_MB
    ),
    Figure("sockets", "MonitorSelfRegisteredSocketCount", "", "open connections"),
    Figure("age_s", "MonitorSelfAge", "s", "time since the daemon started", MAX),
)

OF_SCHEDD = (
    *OF_EVERY_DAEMON,
    Figure("jobs", "TotalJobAds", "jobs", "in its queue"),
    Figure("jobs_idle", "TotalIdleJobs", "jobs", "idle"),
    Figure("jobs_running", "TotalRunningJobs", "jobs", "running"),
    Figure("jobs_held", "TotalHeldJobs", "jobs", "held"),
    Figure("jobs_removed", "TotalRemovedJobs", "jobs", "removed, not yet gone"),
    Figure("jobs_flocked", "TotalFlockedJobs", "jobs", "running in another pool"),
    Figure("running_max", "MaxJobsRunning", "jobs", "that may run at once", LAST),
    Figure("users", "NumUsers", "users", "with jobs in its queue"),
    Figure("autoclusters", "AutoClusters", "", "groups of alike jobs that the negotiator sees"),
    Figure("shadows", "ShadowsRunning", "", "shadow processes"),
    Figure("submits", "JobsSubmitted", "jobs", "submitted since start", LAST),
    Figure("starts", "JobsStarted", "jobs", "started since start", LAST),
    Figure("exits", "JobsExited", "jobs", "ended, in whatever way, since start", LAST),
    Figure("completions", "JobsCompleted", "jobs", "completed since start", LAST),
    Figure("kills", "JobsKilled", "jobs", "killed since start", LAST),
    Figure("exceptions", "JobsExitException", "jobs", "whose shadow failed since start", LAST),
    Figure("wait_sum_s", "JobsAccumTimeToStart", "s", "waited for a start, all jobs, since start", LAST),
    Figure("running_sum_s", "JobsAccumRunningTime", "s", "run, all jobs, since start", LAST),
    Figure("badput_sum_s", "JobsAccumBadputTime", "s", "run in vain, all jobs, since start", LAST),
    Figure("recent_submits", "RecentJobsSubmitted", "jobs", "submitted in the last 20 min"),
    Figure("recent_starts", "RecentJobsStarted", "jobs", "started in the last 20 min"),
    Figure("recent_exits", "RecentJobsExited", "jobs", "ended in the last 20 min"),
    Figure("recent_completions", "RecentJobsCompleted", "jobs", "completed in the last 20 min"),
    Figure("recent_exceptions", "RecentJobsExitException", "jobs", "whose shadow failed, last 20 min"),
    Figure("recent_wait_sum_s", "RecentJobsAccumTimeToStart", "s", "waited for a start, last 20 min"),
    Figure("recent_running_sum_s", "RecentJobsAccumRunningTime", "s", "run, in the last 20 min"),
    Figure("recent_badput_sum_s", "RecentJobsAccumBadputTime", "s", "run in vain, in the last 20 min"),
    Figure("uploads", "TransferQueueNumUploading", "jobs", "sending their files to a slot"),
    Figure("downloads", "TransferQueueNumDownloading", "jobs", "fetching their files from a slot"),
    Figure("uploads_waiting", "TransferQueueNumWaitingToUpload", "jobs", "that wait to send files"),
    Figure("downloads_waiting", "TransferQueueNumWaitingToDownload", "jobs", "that wait to fetch files"),
    Figure("upload_wait_s", "TransferQueueUploadWaitTime", "s", "wait of the job longest in it", MAX),
    Figure("download_wait_s", "TransferQueueDownloadWaitTime", "s", "wait of the job longest in it", MAX),
    Figure("upload_bytes_per_s", "FileTransferUploadBytesPerSecond_5m", "B/s", "sent, 5 min average"),
    Figure("download_bytes_per_s", "FileTransferDownloadBytesPerSecond_5m", "B/s", "fetched, 5 min average"),
)  # fmt: skip

OF_NEGOTIATOR = (
    *OF_EVERY_DAEMON,
    Figure("cycle_s", "LastNegotiationCycleDuration0", "s", "the last cycle took", MAX),
    Figure("period_s", "LastNegotiationCyclePeriod0", "s", "from the cycle before to the last one", MAX),
    Figure("matches", "LastNegotiationCycleMatches0", "jobs", "matched in the last cycle"),
    Figure("rejections", "LastNegotiationCycleRejections0", "jobs", "rejected in the last cycle"),
    Figure("match_rate", "LastNegotiationCycleMatchRate0", "1/s", "matches a second in the last cycle"),
    Figure("jobs_idle", "LastNegotiationCycleNumIdleJobs0", "jobs", "idle as the last cycle saw them"),
    Figure("jobs_considered", "LastNegotiationCycleNumJobsConsidered0", "jobs", "that the last cycle tried"),
    Figure("schedds", "LastNegotiationCycleNumSchedulers0", "schedds", "asked in the last cycle"),
    Figure("submitters", "LastNegotiationCycleActiveSubmitterCount0", "", "submitters with jobs"),
    Figure("slots", "LastNegotiationCycleTotalSlots0", "slots", "in the pool, last cycle"),
    Figure("slots_candidate", "LastNegotiationCycleCandidateSlots0", "slots", "open to a match, last cycle"),
    Figure("cycle_end", "LastNegotiationCycleEnd0", "s", "when the last cycle ended (Unix time)", LAST),
)

OF_COLLECTOR = (
    *OF_EVERY_DAEMON,
    Figure("slots", "HostsTotal", "slots", "in the pool"),
    Figure("slots_claimed", "HostsClaimed", "slots", "claimed"),
    Figure("submitters", "SubmitterAds", "", "ads of submitters"),
    Figure("query_workers", "ActiveQueryWorkers", "", "processes that answer queries"),
    Figure("queries_waiting", "PendingQueries", "", "queries that wait for one"),
    Figure("queries_dropped", "DroppedQueries", "", "queries refused since start", LAST),
    Figure("updates", "UpdatesTotal", "", "ads received since start", LAST),
    Figure("updates_lost", "UpdatesLost", "", "ads that got lost on the way since start", LAST),
)

OF_DAEMON = {"schedd": OF_SCHEDD, "negotiator": OF_NEGOTIATOR, "collector": OF_COLLECTOR}
