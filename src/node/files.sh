# The container that holds the files: it keeps the pod alive until the client has every byte, then ends, and the
# scratch volume with it. Arguments: seconds that the capture may take, seconds that the files are kept after it.
# The client renews the stay by touching `lease` and ends it with `release`.

capture_seconds=$1
keep_seconds=$2
trap 'exit 0' TERM INT
begun=$EPOCHSECONDS
while [[ ! -e /gkeprof/ctl/release ]]; do
  last=$begun
  allowed=$((capture_seconds + keep_seconds))
  if [[ -e /gkeprof/out/done ]]; then
    last=$(stat -c %Y /gkeprof/out/done)
    allowed=$keep_seconds
  fi
  if [[ -e /gkeprof/ctl/lease ]]; then
    lease=$(stat -c %Y /gkeprof/ctl/lease)
    ((lease > last)) && last=$lease
  fi
  ((EPOCHSECONDS - last > allowed)) && exit 0
  sleep 0.5
done
