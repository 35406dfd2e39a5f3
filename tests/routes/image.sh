# README, "In containers": the images that `make containers` has built, by podman, with a read-only root and no rights.
# suites: podman
. "${0%/*}/lib.sh"

cd "${0%/*}/../.."
mkdir "$HOME/state" && cp -r samples/molecules "$HOME/pictures"
chown 10001:10001 "$HOME/state"
for image in cloud-monitor-collector cloud-monitor-worker; do
    podman image exists $image || { echo "$image is not built: make containers" >&2; exit 1; }
done
binds=()
for bound in $ROUTES_BIND; do binds+=(--volume "${bound%%:*}:${bound#*:}:ro"); done
container() {
    podman run --network=host --read-only --tmpfs /tmp --cap-drop=all --security-opt=no-new-privileges "${binds[@]}" "$@"
}
worker() {
    container --rm --volume "$HOME/state:/var/lib/cloud-monitor/worker" --volume "$HOME/pictures:/pictures:ro" \
        --env WORKER_RESULTS_URL=/var/lib/cloud-monitor/worker/results --env WORKER_CPU_THRESHOLD_PCT=100 \
        --env WORKER_PRESSURE_CPU_PCT=100 --env WORKER_SCHEDULED_EVENTS_URL=off --env WORKER_SPOT_NOTICE_URL=off \
        cloud-monitor-worker cloud-monitor-worker "$@"
}
serve_store $((PORT + 1)) $((PORT + 2))
page=$(container --detach --memory=80m --env "WEBAPP_PORT=$PORT" --env WEBAPP_HOST=127.0.0.1 \
    --env "WEBAPP_GRAPHITE_URL=http://127.0.0.1:$((PORT + 1))" cloud-monitor-collector)
trap 'podman rm --force --time 5 "$page" > /dev/null; kill $(jobs -p)' EXIT
container --rm --env COLLECTOR_GRID=contained --env "COLLECTOR_CARBON=tcp+plain://127.0.0.1:$((PORT + 2))" \
    cloud-monitor-collector cloud-monitor-collector
wait_for 180 figure "http://127.0.0.1:$PORT" contained
worker enqueue /pictures --name patents
worker run --until-empty > "$HOME/run.log" 2>&1 || { tail "$HOME/run.log"; exit 1; }
worker results --format csv > "$HOME/smiles.csv"
[ "$(wc -l < "$HOME/smiles.csv")" = $(($(ls samples/molecules | wc -l) + 1)) ]
shown=$(figure "http://127.0.0.1:$PORT" contained)
trap - EXIT
podman rm --force --time 5 "$page" > /dev/null 2>&1 # a podman without systemd warns of it
# shellcheck disable=SC2046
kill $(jobs -p)
echo "$(sed -n 2p "$HOME/smiles.csv" | cut -d, -f3,4); $shown"
