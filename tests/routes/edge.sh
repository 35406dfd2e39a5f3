# README, "A small machine": the page over VictoriaMetrics, by `make run PROFILE=edge`.
# suites: bookworm
# as: someone
# packages: python3 python3-venv make
. /srv/lib.sh

git clone -q /srv/cloud-monitor.git ~/cloud-monitor && cd ~/cloud-monitor
export COLLECTOR_GRID=small GRAPHITE_PORT=$((PORT + 1)) CARBON_PORT=$((PORT + 2))
make run PROFILE=edge > ~/run.log 2>&1 &
trap 'tail -20 ~/run.log' EXIT
wait_for 900 curl -fsS "http://127.0.0.1:$PORT/"
wait_for 180 figure "http://127.0.0.1:$PORT" small
trap - EXIT
[ ! -e .venv/ready ] # which has the packages of all parts
figure "http://127.0.0.1:$PORT" small
