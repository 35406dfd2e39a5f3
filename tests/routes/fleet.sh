# README, "A worker fleet": drawings of a folder, read by the engine with its real model, as a CSV of SMILES.
# suites: bookworm trixie
# as: someone
# packages: python3 python3-venv
. /srv/lib.sh

git clone -q /srv/cloud-monitor.git ~/cloud-monitor && cd ~/cloud-monitor
python3 -m venv .venv && .venv/bin/pip install -qq --no-input -c constraints.txt -e '.[worker]'
. .venv/bin/activate
export WORKER_CPU_THRESHOLD_PCT=100 WORKER_PRESSURE_CPU_PCT=100 WORKER_SCHEDULED_EVENTS_URL=off WORKER_SPOT_NOTICE_URL=off
python -m worker model fetch > /dev/null
mkdir ~/pictures && cp samples/molecules/*.png ~/pictures
python -m worker enqueue ~/pictures --name patents
python -m worker run --until-empty > ~/run.log 2>&1
python -m worker results --format csv > ~/smiles.csv
[ "$(wc -l < ~/smiles.csv)" = $(($(ls ~/pictures | wc -l) + 1)) ]
sed -n 2p ~/smiles.csv
