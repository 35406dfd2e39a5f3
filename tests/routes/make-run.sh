# README, "Try it": Graphite where its Python is, else VictoriaMetrics with a line that says why.
# suites: bookworm trixie
# as: someone
# packages: python3 python3-venv make
. /srv/lib.sh

git clone -q /srv/cloud-monitor.git ~/cloud-monitor && cd ~/cloud-monitor
export COLLECTOR_GRID=newcomer FLEET=0 GRAPHITE_PORT=$((PORT + 1)) CARBON_PORT=$((PORT + 2)) CARBON_QUERY_PORT=$((PORT + 3))
make run > ~/run.log 2>&1 &
trap 'tail -20 ~/run.log' EXIT
wait_for 900 curl -fsS "http://127.0.0.1:$PORT/"
wait_for 180 figure "http://127.0.0.1:$PORT" newcomer
trap - EXIT
if python3 -c 'import sys; sys.exit(sys.version_info < (3, 12))'; then
    grep "VictoriaMetrics takes its place" ~/run.log
else
    [ "$(grep -c VictoriaMetrics ~/run.log)" = 0 ]
fi
echo "$(grep -o 'VictoriaMetrics takes its place' ~/run.log || echo Graphite): $(figure "http://127.0.0.1:$PORT" newcomer)"
