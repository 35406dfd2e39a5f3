# docs/backup.md: copied by its commands while a fleet works, all of it destroyed, restored by its commands; the queue in
# SQLite, then in PostgreSQL; figures in VictoriaMetrics and in a Carbon.
# suites: bookworm trixie
# as: root
# packages: systemd dbus python3-venv sqlite3 postgresql graphite-carbon
# init: systemd
. /srv/lib.sh

install_parts collector,webapp,worker
for part in collector webapp worker; do .venv/bin/cloud-monitor-$part setup --system > /dev/null; done
# Ports of this machine that others may have.
export PGPORT=$((PORT + 5))
sed -i "s/^port = .*/port = $PGPORT/" /etc/postgresql/*/main/postgresql.conf
systemctl restart postgresql
sed -i "s/^\(LINE_RECEIVER_PORT\) = .*/\1 = $((PORT + 3))/; s/^\(PICKLE_RECEIVER_PORT\) = .*/\1 = $((PORT + 4))/
    s/^\(CACHE_QUERY_PORT\) = .*/\1 = $((PORT + 6))/; s/^\(\w*_INTERFACE\) = .*/\1 = 127.0.0.1/" /etc/carbon/carbon.conf
tools/install-victoriametrics > /dev/null
sed "s/8428/$((PORT + 1))/; s/2003/$((PORT + 2))/" systemd/cloud-monitor-store.service > /etc/systemd/system/cloud-monitor-store.service
state=/var/lib/cloud-monitor
settings_of_collector "tcp+plain://127.0.0.1:$((PORT + 2)),127.0.0.1:$((PORT + 4))"
settings_of_page $((PORT + 1))
echo "state_dir = \"$state/webapp\"" >> /etc/cloud-monitor/webapp.toml # for `annotate`, which the unit does not run
settings_of_worker STORAGE_URL=/srv/drawings RESULTS_URL=$state/worker/results STUB_S=1 STORE_S=0.5 LEASE_S=5 CHUNK_IMAGES=10 \
    MAX_WORKERS=1
mkdir -p /srv/drawings/a
for number in $(seq 10 89); do cp samples/molecules/benzene.png /srv/drawings/a/$number.png; done
page=http://127.0.0.1:$PORT
store="s/8428/$((PORT + 1))/"
has() { [ "$(answers fleet | wc -l)" -ge "$1" ]; }
well() { fleet status --json > /dev/null; }
stored() { curl -fsS "http://127.0.0.1:$((PORT + 1))/render?target=grids.atlas.sysinfo.load&format=json&from=-1h" | grep -o '\[[0-9.]*,[0-9]*\]'; }
carbon_has() { whisper-fetch /var/lib/graphite/whisper/grids/atlas/sysinfo/load.wsp | grep -qv None; }

trap 'ls -lR /var/backups/cloud-monitor | head -60; journal' EXIT
systemctl daemon-reload
systemctl restart cloud-monitor-store carbon-cache cloud-monitor-web
wait_for 60 curl -fsS "http://127.0.0.1:$((PORT + 1))/health"
wait_for 60 measure
wait_for 120 carbon_has
wait_for 240 figure "$page" atlas
runuser -u cloud-monitor -- .venv/bin/cloud-monitor-webapp --config /etc/cloud-monitor/webapp.toml annotate "a kernel was updated"

copy_at_work() { # the copy is in $to
    fleet enqueue a --name patents
    systemctl start cloud-monitor-worker
    wait_for 400 has 15
    find $state/webapp -name '*.sqlite' | sort > /tmp/files
    answers fleet > /tmp/answers
    follow_page docs/backup.md Copy
    to=$(find /var/backups/cloud-monitor/* -maxdepth 0 | tail -n 1)
    [ "$(answers fleet | wc -l)" -lt 80 ] # it was at work
}

# 1. SQLite, with the figures.
copy_at_work
sqlite3 "$to/state/worker/queue.db" 'PRAGMA integrity_check' | grep -x ok
for heading in "Of VictoriaMetrics" "Of Graphite"; do
    (export to && follow_page docs/backup.md "$heading" "$store")
done
systemctl stop cloud-monitor-worker cloud-monitor-web cloud-monitor-store carbon-cache
rm -rf $state/webapp $state/worker $state/store/* /etc/cloud-monitor/*.toml /etc/cloud-monitor/*.env /var/lib/graphite/whisper/*
for part in collector webapp worker; do .venv/bin/cloud-monitor-$part setup --system > /dev/null; done # as on a new machine
for heading in "Into VictoriaMetrics" "Into Graphite" Restore; do follow_page docs/backup.md "$heading"; done
wait_for 60 well
answers fleet | grep -xF -f /tmp/answers | diff - /tmp/answers
carbon_has
stored
find $state/webapp -name '*.sqlite' | sort | diff - /tmp/files
sqlite3 $state/webapp/annotations.sqlite .dump | grep "a kernel was updated"
measure
wait_for 240 figure "$page" atlas
wait_for 400 has 80
sqlite3 $state/worker/queue.db 'PRAGMA integrity_check' | grep -x ok
systemctl stop cloud-monitor-worker
echo "SQLite: $(wc -l < /tmp/answers) answers and more were copied, 80 are there"

# 2. PostgreSQL: what was stored before the dump is there after it.
runuser -u postgres -- psql -qc "CREATE ROLE fleet LOGIN PASSWORD 'SECRET'"
runuser -u postgres -- createdb --owner=fleet --encoding=UTF8 --template=template0 fleet
rm -rf $state/worker/queue.db*
echo "WORKER_DATABASE_URL=postgresql://fleet:SECRET@127.0.0.1:$PGPORT/fleet" >> /etc/cloud-monitor/worker.env
copy_at_work
(export to && follow_page docs/backup.md "Of PostgreSQL")
systemctl stop cloud-monitor-worker
runuser -u postgres -- dropdb --force fleet
rm -rf $state/worker/results/*
follow_page docs/backup.md "Into PostgreSQL"
answers fleet | grep -xF -f /tmp/answers | diff - /tmp/answers
cp -a "$to/results/." $state/worker/results
systemctl start cloud-monitor-worker
wait_for 400 has 80
systemctl stop cloud-monitor-worker
trap - EXIT
measure
wait_for 240 figure "$page" atlas
echo "restored: $(figure "$page" atlas); PostgreSQL: $(wc -l < /tmp/answers) answers were dumped, $(answers fleet | wc -l) are there"
