# docs/operations.md, "Starting machines": a queue in PostgreSQL by the commands there, the settings in worker.env, the
# page by the role that only reads.
# suites: bookworm trixie
# as: root
# packages: python3 python3-venv postgresql
. /srv/lib.sh

git clone -q /srv/cloud-monitor.git /opt/cloud-monitor && cd /opt/cloud-monitor
python3 -m venv .venv && .venv/bin/pip install -qq --no-input -c constraints.txt -e '.[worker,webapp,fleet]'
read -r version cluster _ < <(pg_lsclusters -h)
export PGPORT=$((PORT + 1))
pg_conftool "$version" "$cluster" set port $PGPORT
pg_ctlcluster "$version" "$cluster" start
cd /tmp
superuser() { runuser -u postgres -- "$@"; }
commands=$(sed -n '/createuser --pwprompt/,/```/p' /opt/cloud-monitor/docs/operations.md | sed '$d')
grep -q 'createuser --pwprompt page' <<< "$commands" || { echo "docs/operations.md has other commands: $commands"; exit 1; }
while read -r command; do
    printf 'SECRET\nSECRET\n' | superuser bash -eu -c "$command" # a createuser reads all there is
done <<< "$commands"

cd /opt/cloud-monitor
.venv/bin/cloud-monitor-worker setup --system --with none
cp -r samples/molecules /srv/drawings
cat >> /etc/cloud-monitor/worker.env << END
WORKER_DATABASE_URL="postgresql://fleet:SECRET@127.0.0.1:$PGPORT/fleet?application_name=a;b"
WORKER_CPU_THRESHOLD_PCT=100
WORKER_PRESSURE_CPU_PCT=100
WORKER_SCHEDULED_EVENTS_URL=off
WORKER_SPOT_NOTICE_URL=off
END
set -a; . /etc/cloud-monitor/worker.env; set +a
.venv/bin/cloud-monitor-worker enqueue /srv/drawings --name patents
runuser -u cloud-monitor -- .venv/bin/cloud-monitor-worker run --until-empty > /tmp/run.log 2>&1 || { tail /tmp/run.log; exit 1; }
.venv/bin/cloud-monitor-worker results --format csv > ~/smiles.csv
[ "$(wc -l < ~/smiles.csv)" = $(($(ls /srv/drawings | wc -l) + 1)) ]
WEBAPP_PORT=$PORT WEBAPP_STATE_DIR=/tmp/page WEBAPP_FLEET_DATABASE_URL="postgresql://page:SECRET@127.0.0.1:$PGPORT/fleet" \
    .venv/bin/cloud-monitor-webapp > /tmp/page.log 2>&1 &
shown() { curl -fsS "http://127.0.0.1:$PORT/api/results?batch=patents" | grep -q C1=CC=CC=C1; }
wait_for 60 shown
sed -n 2p ~/smiles.csv | cut -d, -f3,4
