# README, "A small machine" and "A worker fleet", by their units; docs/uninstall.md.
# suites: bookworm trixie
# as: root
# packages: systemd dbus python3-venv
# init: systemd
. /srv/lib.sh

install_parts collector,webapp,worker,fleet
tools/install-victoriametrics && cp systemd/cloud-monitor-store.service /etc/systemd/system
sed -i "s/:8428/:$((PORT + 1))/; s/:2003/:$((PORT + 2))/" /etc/systemd/system/cloud-monitor-store.service
for part in collector webapp worker; do .venv/bin/cloud-monitor-$part setup --system; done
cat > /etc/cloud-monitor/collector.toml << END
grid = "atlas"
carbon = "tcp+plain://127.0.0.1:$((PORT + 2))"
graphite_url = "http://127.0.0.1:$((PORT + 1))"
END
cat > /etc/cloud-monitor/webapp.toml << END
graphite_url = "http://127.0.0.1:$((PORT + 1))"
port = $PORT
fleet_database_url = "sqlite:////var/lib/cloud-monitor/worker/queue.db"
END
printf 'WORKER_%s\n' CPU_THRESHOLD_PCT=100 PRESSURE_CPU_PCT=100 SCHEDULED_EVENTS_URL=off SPOT_NOTICE_URL=off \
    >> /etc/cloud-monitor/worker.env
cp -r samples/molecules /srv/drawings

fleet() (set -a && . /etc/cloud-monitor/worker.env && set +a && exec .venv/bin/cloud-monitor-worker "$@")
recognised() {
    fleet results --format csv > ~/smiles.csv
    [ "$(wc -l < ~/smiles.csv)" = $(($(ls /srv/drawings/*.png | wc -l) + 1)) ]
}
fleet enqueue /srv/drawings --name patents # by root and before the unit's first start, which has to get on with it
systemctl daemon-reload
systemctl enable -q --now cloud-monitor-store cloud-monitor-web cloud-monitor-collector.timer cloud-monitor-worker
trap journal EXIT
wait_for 240 figure "http://127.0.0.1:$PORT" atlas
wait_for 600 recognised
wait_for 60 curl -fsS "http://127.0.0.1:$PORT/fleet/batches/patents"
systemctl restart cloud-monitor-store cloud-monitor-web cloud-monitor-worker
wait_for 240 figure "http://127.0.0.1:$PORT" atlas
[ -z "$(systemctl --failed --plain --no-legend)" ] || { systemctl --failed; exit 1; }
shown=$(figure "http://127.0.0.1:$PORT" atlas)
trap - EXIT

cp docs/uninstall.md /tmp/
cd /
follow_page /tmp/uninstall.md "What setup made"
follow_page /tmp/uninstall.md "Programs, settings, state, user"
left=$(find /etc /opt /run/systemd /var/lib -name '*cloud-monitor*')
[ -z "$left" ] || { echo "uninstalled, and there is still: $left"; exit 1; }
echo "$(sed -n 2p ~/smiles.csv | cut -d, -f3,4); $shown"
