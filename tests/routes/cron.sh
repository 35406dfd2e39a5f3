# README, "Without the repository" and "On a scheduler host": a wheel, setup --system --with cron, and a real cron daemon
# whose runs have nothing of a shell's environment.
# suites: bookworm trixie
# as: root
# packages: python3 python3-venv cron bsdutils
. /srv/lib.sh

git clone -q /srv/cloud-monitor.git /opt/cloud-monitor && cd /opt/cloud-monitor
python3 -m venv .venv && .venv/bin/pip wheel -qq --no-deps -w /tmp/wheel .
.venv/bin/pip install -qq --no-input -c constraints.txt "$(echo /tmp/wheel/*.whl)[collector,webapp]"
tools/install-victoriametrics > /dev/null
serve_store $((PORT + 1)) $((PORT + 2))
for part in collector webapp; do
    with=none
    [ $part = webapp ] || with=cron
    .venv/bin/cloud-monitor-$part setup --system --with $with
done
printf 'grid = "atlas"\ncarbon = "tcp+plain://127.0.0.1:%s"\nstate_dir = "/var/lib/cloud-monitor/collector"\n' $((PORT + 2)) \
    > /etc/cloud-monitor/collector.toml
printf 'graphite_url = "http://127.0.0.1:%s"\nport = %s\nstate_dir = "/var/lib/cloud-monitor/webapp"\n' $((PORT + 1)) "$PORT" \
    > /etc/cloud-monitor/webapp.toml
cd /
runuser -u cloud-monitor -- /opt/cloud-monitor/.venv/bin/cloud-monitor-webapp --config /etc/cloud-monitor/webapp.toml > /tmp/page.log 2>&1 &
cron
wait_for 240 figure "http://127.0.0.1:$PORT" atlas
runuser -u cloud-monitor -- /opt/cloud-monitor/.venv/bin/cloud-monitor-collector --config /etc/cloud-monitor/collector.toml --check
for part in collector webapp; do
    with=none
    [ $part = webapp ] || with=cron
    [ "$(/opt/cloud-monitor/.venv/bin/cloud-monitor-$part setup --system --with $with | grep -c '^made')" = 0 ]
done
figure "http://127.0.0.1:$PORT" atlas
