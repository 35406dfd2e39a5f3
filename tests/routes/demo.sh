# README, "Try it": make demo, with all of it there two minutes after set-up (more where other work takes the CPU).
# suites: bookworm
# as: someone
# packages: python3 python3-venv make
. /srv/lib.sh

git clone -q /srv/cloud-monitor.git ~/cloud-monitor && cd ~/cloud-monitor
export GRAPHITE_PORT=$((PORT + 1)) CARBON_PORT=$((PORT + 2)) CARBON_QUERY_PORT=$((PORT + 3)) MAIL_PORT=$((PORT + 4))
export WORKER_CPU_THRESHOLD_PCT=100 WORKER_PRESSURE_CPU_PCT=100
make -j3 setup > ~/setup.log 2>&1 || { tail ~/setup.log; exit 1; }
began=$SECONDS
make demo > ~/run.log 2>&1 &
trap 'tail -20 ~/run.log' EXIT
mail() { grep -h '^Subject: .*belle.*3 VMs lost' state/demo/mailbox/new/*; }
read_all() { curl -fsS "http://127.0.0.1:$PORT/api/results?batch=samples" | grep -q C1=CC=CC=C1; }
wait_for 600 figure "http://127.0.0.1:$PORT" belle
wait_for 600 mail
wait_for 600 read_all
trap - EXIT
echo "after $((SECONDS - began)) s: $(mail); $(figure "http://127.0.0.1:$PORT" belle)"
