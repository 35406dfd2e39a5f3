# Of all routes: waiting, and what a route ends with.

wait_for() { # SECONDS COMMAND...: until it succeeds
    local until=$((SECONDS + $1))
    shift
    until "$@" > /dev/null 2>&1; do
        [ $SECONDS -lt $until ] || { echo "in vain: $*"; return 1; }
        sleep 1
    done
}

figure() { # PAGE GRID: the host's load as the page has it
    curl -fsS "$1/api/status" | python3 -c '
import json, sys

figure = json.load(sys.stdin)["values"][f"grids.{sys.argv[1]}.sysinfo.load"]
assert figure["freshness"] in ("fresh", "zero"), figure
print("the load of", sys.argv[1], "on the page:", figure["value"])
' "$2"
}

serve_store() { # GRAPHITE_PORT CARBON_PORT: VictoriaMetrics in Graphite's place, in the background
    mkdir -p "$HOME/store"
    tools/start-victoriametrics "$HOME/store" "127.0.0.1:$1" "127.0.0.1:$2" > "$HOME/store.log" 2>&1 &
    wait_for 60 curl -fsS "http://127.0.0.1:$1/health"
}

commands() { # PAGE HEADING: the first block of commands below it, as it stands there
    awk -v heading="$2" '
        /^#/ && !inside { on = ($0 ~ "^#+ " heading "$") }
        on && /^ *```/ { if (inside) exit; inside = 1; next }
        on && inside
    ' "$1" | grep . || { echo "$1 has no commands below '$2'" >&2; return 1; }
}

follow_page() { # PAGE HEADING [SED]: they, typed by root
    local typed
    typed=$(commands "$1" "$2")
    typed=$(sed "${3:-}" <<< "$typed")
    bash -eux -c "$typed" 2>&1
}

answers() { # WORKER_COMMAND...: picture and SMILES of each result
    "$@" results --format jsonl | python3 -c '
import json, sys

for row in sorted(map(json.loads, sys.stdin), key=lambda row: (row["batch"], row["image"])):
    print(row["batch"], row["image"], row["smiles"])
'
}

install_parts() { # EXTRAS: README's lines for a machine of the house, with the tested versions; goes there
    git clone -q /srv/cloud-monitor.git /opt/cloud-monitor && cd /opt/cloud-monitor
    python3 -m venv .venv && .venv/bin/pip install -qq --no-input -c constraints.txt -e ".[$1]"
}

settings_of_collector() { # CARBONS: of a grid named atlas
    printf 'grid = "atlas"\ncarbon = "%s"\nstate_dir = "/var/lib/cloud-monitor/collector"\n' "$1" > /etc/cloud-monitor/collector.toml
}

settings_of_page() { # GRAPHITE_PORT
    printf 'graphite_url = "http://127.0.0.1:%s"\nport = %s\npoll_every_s = 2\npoll_after_step_s = 0.2\n' "$1" "$PORT" \
        > /etc/cloud-monitor/webapp.toml
}

settings_of_worker() { # NAME=VALUE...: the stub engine, on a machine that is never too busy and of no cloud
    printf 'WORKER_%s\n' "$@" DECIMER_ENGINE=stub CPU_THRESHOLD_PCT=100 PRESSURE_CPU_PCT=100 MEMORY_THRESHOLD_PCT=100 \
        MEMORY_DRAIN_PCT=100 SCHEDULED_EVENTS_URL=off SPOT_NOTICE_URL=off > /etc/cloud-monitor/worker.env
}

fleet() { # ARGUMENTS...: the worker's command as its unit runs it
    # shellcheck disable=SC2046
    runuser -u cloud-monitor -- env $(cat /etc/cloud-monitor/worker.env) WORKER_STATE_DIR=/var/lib/cloud-monitor/worker \
        /opt/cloud-monitor/.venv/bin/cloud-monitor-worker "$@"
}

measure() { # one run of the collector
    runuser -u cloud-monitor -- /opt/cloud-monitor/.venv/bin/cloud-monitor-collector --config /etc/cloud-monitor/collector.toml
}

journal() { # of all that may be to blame
    journalctl --no-pager -o cat -u 'cloud-monitor*' -u cron -u apache2 -u carbon-cache | tail -40
}
