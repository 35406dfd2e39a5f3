# docs/uninstall.md and docs/version.md, after all three parts were installed and at work: of what was installed no file is
# left but what the page says.
# suites: bookworm trixie
# as: root
# packages: systemd dbus python3-venv apache2 libapache2-mod-wsgi-py3 cron bsdutils sqlite3
# init: systemd
. /srv/lib.sh

files() { find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/tmp -o -path /srv \) -prune -o -print | sort; }

page=http://127.0.0.1:$PORT
state=/var/lib/cloud-monitor
sed -i "s/^Listen 80$/Listen 127.0.0.1:$((PORT + 3))/" /etc/apache2/ports.conf # this machine may serve something there
files > /tmp/before
install_parts collector,webapp,worker
.venv/bin/cloud-monitor-collector setup --system --with systemd
.venv/bin/cloud-monitor-collector setup --system --with cron
.venv/bin/cloud-monitor-webapp setup --system --with systemd
.venv/bin/cloud-monitor-webapp setup --system --with apache
.venv/bin/cloud-monitor-worker setup --system --with systemd
.venv/bin/cloud-monitor-worker setup --system --with systemd > /tmp/again
[ "$(grep -c '^made' /tmp/again)" = 0 ]
settings_of_collector "tcp+plain://127.0.0.1:$((PORT + 2))"
printf 'graphite_url = "http://127.0.0.1:%s"\nstate_dir = "/var/lib/cloud-monitor/webapp"\n' $((PORT + 1)) \
    > /etc/cloud-monitor/webapp.toml
settings_of_worker STORAGE_URL=$state/worker/pictures
sed -i "s/5000/$PORT/" /etc/apache2/sites-available/cloud_monitor.conf
a2ensite -q cloud_monitor
HOME=/tmp/store-home serve_store $((PORT + 1)) $((PORT + 2))
systemctl daemon-reload
systemctl restart apache2 # it serves the page, whose own unit is there and stays off
systemctl enable -q --now cloud-monitor-collector.timer cloud-monitor-worker
trap journal EXIT
wait_for 240 figure "$page" atlas
figure "$page" atlas | tee /tmp/figure
wait_for 120 test -e $state/worker/queue.db

# docs/version.md, each command as it stands there.
follow_page docs/version.md Version "s/:5000/:$PORT/" > /tmp/said
cat /tmp/said
number=$(sed -n 's/^__version__ = "\([^"]*\)".*/\1/p' cloud_monitor/__init__.py)
for part in collector webapp worker; do grep -x "cloud-monitor-$part $number" /tmp/said; done
follow_page docs/version.md "What runs" "s/:5000/:$PORT/" > /tmp/said
grep "\"version\": \?\"$number\"" /tmp/said
grep "^cloud_monitor_build_info{version=\"$number\"} 1.0" /tmp/said
follow_page docs/version.md "The queue's tables" '/psql/d' | grep -x '[0-9]\{4\}'

cp docs/uninstall.md /tmp/
kill %1
trap - EXIT
cd /tmp
follow_page /tmp/uninstall.md "What setup made"
follow_page /tmp/uninstall.md "Under Apache"
follow_page /tmp/uninstall.md "Programs, settings, state, user"
files > /tmp/after
# Of Debian's programs at work, not of ours: Python's bytecode, pip's cache, logs, what useradd, systemd and a2dissite keep.
comm -13 /tmp/before /tmp/after > /tmp/made
grep -vE '/__pycache__(/|$)|^/root/[.]cache|^/var/(log|lib/systemd|lib/apache2/site/disabled_by_admin$)|^/etc/(passwd|shadow|group|gshadow|subuid|subgid)-$' \
    /tmp/made > /tmp/left || true
grep -i 'cloud.monitor' /tmp/made >> /tmp/left || true
cat /tmp/left
[ ! -s /tmp/left ]
[ -z "$(comm -23 /tmp/before /tmp/after | tee /dev/stderr)" ]
[ "$(grep -c cloud-monitor /etc/passwd /etc/group /etc/shadow | grep -vc ':0$')" = 0 ]
if pgrep -af 'cloud.monito[r]'; then exit 1; fi
echo "$(cat /tmp/figure); then uninstalled, nothing left"
