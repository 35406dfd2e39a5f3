# README, "All three parts at once": the packages of requirements.txt, and the parts started in the clone.
# suites: bookworm trixie
# as: someone
# packages: python3 python3-venv
. /srv/lib.sh

git clone -q /srv/cloud-monitor.git ~/cloud-monitor && cd ~/cloud-monitor
python3 -m venv .venv && .venv/bin/pip install -qq --no-input -r requirements.txt
tools/install-victoriametrics > /dev/null
serve_store $((PORT + 1)) $((PORT + 2))
export COLLECTOR_GRID=plain COLLECTOR_CARBON=tcp+plain://127.0.0.1:$((PORT + 2))
export WEBAPP_GRAPHITE_URL=http://127.0.0.1:$((PORT + 1)) WEBAPP_PORT=$PORT
.venv/bin/python -m webapp > ~/page.log 2>&1 &
.venv/bin/python -m collector
.venv/bin/python -m worker --version
wait_for 120 figure "http://127.0.0.1:$PORT" plain
figure "http://127.0.0.1:$PORT" plain
