# docs/upgrade.md: from before the queue's second schema (some 300 commits) to today and back, by the page's own commands,
# with a fleet's results, work that waits and a page's history. Units are started by Debian's systemctl without systemd.
# suites: bookworm
# as: root
# packages: python3 python3-venv sqlite3 systemctl
. /srv/lib.sh

git clone -q /srv/cloud-monitor.git /opt/cloud-monitor && cd /opt/cloud-monitor
later=$(git log --diff-filter=A --format=%H -- worker/queue/migrations/versions/0002_machines.py)
git reset -q --hard "$later^"
echo "from $(git rev-list --count HEAD..origin/HEAD) commits ago"

# As its README said.
python3 -m venv .venv && .venv/bin/pip install -qq --no-input -c requirements.txt -e '.[collector,webapp,worker]'
useradd --system --create-home cloud-monitor
cp systemd/cloud-monitor.slice systemd/cloud-monitor-web.service systemd/cloud-monitor-worker.service /etc/systemd/system/
mkdir -p /etc/cloud-monitor /srv/results /srv/drawings/one /srv/drawings/two
cp samples/molecules/*.png /srv/drawings/one && cp samples/molecules/b*.png /srv/drawings/two
chown cloud-monitor /srv/results
cat > /etc/cloud-monitor/collector.toml <<EOF
grid = "atlas"
carbon = "tcp+plain://127.0.0.1:$((PORT + 2))"
state_dir = "/var/lib/cloud-monitor/collector"
EOF
cat > /etc/cloud-monitor/webapp.toml <<EOF
graphite_url = "http://127.0.0.1:$((PORT + 1))"
port = $PORT
poll_every_s = 2
poll_after_step_s = 0.2
EOF
cat > /etc/cloud-monitor/worker.env <<EOF
WORKER_STORAGE_URL=/srv/drawings
WORKER_RESULTS_URL=/srv/results
WORKER_DECIMER_ENGINE=stub
WORKER_CPU_THRESHOLD_PCT=100
WORKER_MEMORY_THRESHOLD_PCT=100
WORKER_MEMORY_DRAIN_PCT=100
WORKER_SCHEDULED_EVENTS_URL=off
EOF
page=http://127.0.0.1:$PORT
state=/var/lib/cloud-monitor
fleet() { # ARGUMENTS...: as the unit runs it
    runuser -u cloud-monitor -- env $(cat /etc/cloud-monitor/worker.env) WORKER_STATE_DIR=$state/worker \
        /opt/cloud-monitor/.venv/bin/cloud-monitor-worker "$@"
}
measure() { runuser -u cloud-monitor -- /opt/cloud-monitor/.venv/bin/cloud-monitor-collector --config /etc/cloud-monitor/collector.toml; }
has() { [ "$(answers fleet | grep -c "^$1 ")" = "$2" ]; }
tells() { curl -fsS "$page/" | grep -q "$1"; }

tools/install-victoriametrics > /dev/null
serve_store $((PORT + 1)) $((PORT + 2))
store=$!
systemctl daemon-reload
systemctl start cloud-monitor-web
install -d -o cloud-monitor $state/collector $state/worker
measure
wait_for 120 figure "$page" atlas
kill $store && wait $store || true # what happened: a Graphite that does not answer
wait_for 120 curl -fsS "$page/health" -o /tmp/health
exit 3
