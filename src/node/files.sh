# The script of the container `files`: it keeps the pod and its scratch folder alive until the client has every byte.
# Arguments: the seconds that the capture may take, and the seconds for which the files are kept after it.
# The client extends the time by touching `lease`, and ends it by touching `release`.

capture_seconds=$1
keep_seconds=$2
scratch=/gkeprof
[[ $(</proc/self/mounts) == *" $scratch "* ]] || scratch=/dev/shm/gkeprof
trap 'exit 0' TERM INT
# Waits are reads from a pipe to which nobody writes: they start no process, twice a second for as long as a capture takes.
exec {tick}<> <(:)
begun=$EPOCHSECONDS
while [[ ! -e $scratch/ctl/release ]]; do
  last=$begun
  allowed=$((capture_seconds + keep_seconds))
  if [[ -e $scratch/out/done ]]; then
    last=$(stat -c %Y $scratch/out/done)
    allowed=$keep_seconds
  fi
  if [[ -e $scratch/ctl/lease ]]; then
    lease=$(stat -c %Y $scratch/ctl/lease)
    ((lease > last)) && last=$lease
  fi
  ((EPOCHSECONDS - last > allowed)) && exit 0
  read -rt 0.5 -u "$tick" _ || :
done
