# apache/README.md, to its third section, on another port.
# suites: bookworm trixie
# as: root
# packages: apache2 libapache2-mod-wsgi-py3 python3-venv
. /srv/lib.sh

git clone -q /srv/cloud-monitor.git /opt/cloud-monitor
python3 -m venv /opt/cloud-monitor/.venv
/opt/cloud-monitor/.venv/bin/pip install -qq --no-input '/opt/cloud-monitor[webapp,collector]'
/opt/cloud-monitor/.venv/bin/cloud-monitor-webapp setup --system --with apache
cat > /etc/cloud-monitor/webapp.toml <<EOF
graphite_url = "http://127.0.0.1:$((PORT + 1))"
state_dir = "/var/lib/cloud-monitor/webapp"
links = [{ name = "Grafana", url = "https://grafana.example.org/" }]
EOF
chown -R root:root /opt/cloud-monitor && chmod -R go=rX /opt/cloud-monitor
sed -i "s/5000/$PORT/" /etc/apache2/sites-available/cloud_monitor.conf
sed -i "s/^Listen 80$/Listen 127.0.0.1:$((PORT + 3))/" /etc/apache2/ports.conf # this machine may serve something there
a2ensite -q cloud_monitor
cd /opt/cloud-monitor
tools/install-victoriametrics > /dev/null
serve_store $((PORT + 1)) $((PORT + 2))
apachectl configtest
apachectl start
COLLECTOR_GRID=atlas COLLECTOR_STATE_DIR=/tmp/state COLLECTOR_CARBON=tcp+plain://127.0.0.1:$((PORT + 2)) .venv/bin/cloud-monitor-collector
wait_for 180 figure "http://127.0.0.1:$PORT" atlas
[ "$(ps -C apache2 -o user=,args= | grep -c '^cloud-m.*(wsgi:cloud_monitor)')" = 5 ] || ps -eo user,args
figure "http://127.0.0.1:$PORT" atlas
