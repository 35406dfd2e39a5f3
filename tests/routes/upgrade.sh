# docs/upgrade.md: from before the queue's second schema (some 300 commits) to today and back, by the page's own commands,
# with a fleet's results, work that waits and a page's history.
# suites: bookworm trixie
# as: root
# packages: systemd dbus python3-venv sqlite3
# init: systemd
. /srv/lib.sh

git clone -q /srv/cloud-monitor.git /opt/cloud-monitor && cd /opt/cloud-monitor
later=$(git log --diff-filter=A --format=%H -- worker/queue/migrations/versions/0002_machines.py)
git show HEAD:docs/upgrade.md > /tmp/upgrade.md
git reset -q --hard "$later^"
echo "from $(git rev-list --count HEAD..origin/HEAD) commits ago"

# As its README said.
python3 -m venv .venv && .venv/bin/pip install -qq --no-input -c requirements.txt -e '.[collector,webapp,worker]'
useradd --system --create-home cloud-monitor
cp systemd/cloud-monitor.slice systemd/cloud-monitor-web.service systemd/cloud-monitor-worker.service /etc/systemd/system/
mkdir -p /etc/cloud-monitor /srv/results /srv/drawings/one /srv/drawings/two
cp samples/molecules/*.png /srv/drawings/one && cp samples/molecules/b*.png /srv/drawings/two
chown cloud-monitor /srv/results
settings_of_collector "tcp+plain://127.0.0.1:$((PORT + 2))"
settings_of_page $((PORT + 1))
settings_of_worker STORAGE_URL=/srv/drawings RESULTS_URL=/srv/results
page=http://127.0.0.1:$PORT
state=/var/lib/cloud-monitor
has() { [ "$(answers fleet | grep -c "^$1 ")" = "$2" ]; }
schema() { sqlite3 "$1" 'SELECT version_num FROM alembic_version'; }
upgraded() { [ "$(schema $state/worker/queue.db)" != "$old" ]; }
past() { sqlite3 $state/webapp/conditions.sqlite 'SELECT key, began, text FROM episodes WHERE ended IS NOT NULL ORDER BY 1, 2'; }
happened() { [ -n "$(past)" ]; }
failing() { curl -s "$page/health" | grep -q '"failures": *[1-9]'; }

tools/install-victoriametrics > /dev/null
serve_store $((PORT + 1)) $((PORT + 2))
install -d -o cloud-monitor -g cloud-monitor $state/collector $state/worker
systemctl daemon-reload
systemctl start cloud-monitor-web
trap journal EXIT
measure
wait_for 240 figure "$page" atlas
fleet enqueue one --name first
fleet run --until-empty > /tmp/run.log 2>&1
fleet enqueue two --name waiting
answers fleet > /tmp/answers
[ "$(wc -l < /tmp/answers)" = "$(ls /srv/drawings/one | wc -l)" ]
# Something that is over, for the page to remember: its Graphite was away.
kill %1 && wait %1 || true
wait_for 120 failing
serve_store $((PORT + 1)) $((PORT + 2))
wait_for 120 happened
past > /tmp/past
old=$(schema $state/worker/queue.db)
echo "schema $old, $(wc -l < /tmp/answers) answers, happened: $(head -n 1 /tmp/past)"

follow_page /tmp/upgrade.md Upgrade 's/\(collector,webapp,worker\)/\1,fleet/'
git worktree add -q /tmp/before before-upgrade
wait_for 240 upgraded # by the unit: here no command is to come before it
wait_for 240 has waiting "$(ls /srv/drawings/two | wc -l)"
new=$(schema $state/worker/queue.db)
[ "$new" -gt "$old" ]
journalctl --no-pager -o cat -u cloud-monitor-worker |
    grep "brought from schema $old to $new; as it was before it is kept in .*queue.db.before-$new"
[ "$(schema $state/worker/queue.db.before-"$new")" = "$old" ]
[ "$(sqlite3 $state/worker/queue.db 'PRAGMA integrity_check')" = ok ]
answers fleet | grep '^first ' | diff - /tmp/answers
measure
wait_for 240 figure "$page" atlas
past | grep -xF -f /tmp/past | diff - /tmp/past
curl -fsS "$page/health" | grep '"version"'
if (cd /tmp/before && runuser -u cloud-monitor -- env WORKER_STATE_DIR=$state/worker WORKER_STORAGE_URL=/srv/drawings \
    /opt/cloud-monitor/.venv/bin/python -m worker enqueue two --name more) > /tmp/refused 2>&1; then
    echo "an older program wrote into a newer queue" && exit 1
fi
grep "newer than this program's" /tmp/refused

follow_page /tmp/upgrade.md "The way back" 's/constraints.txt/requirements.txt/; s/\(collector,webapp,worker\)/\1,fleet/'
[ "$(git rev-parse HEAD)" = "$(git rev-parse before-upgrade)" ]
[ "$(schema $state/worker/queue.db)" = "$old" ]
wait_for 240 has waiting "$(ls /srv/drawings/two | wc -l)" # done again, by the old version
answers fleet | grep '^first ' | diff - /tmp/answers
measure
wait_for 240 figure "$page" atlas
trap - EXIT
echo "from schema $old to $new and back; $(figure "$page" atlas); $(sed -n 1p /tmp/answers)"
