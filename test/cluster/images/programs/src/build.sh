#!/bin/sh
# build.sh FOLDER: compiles the programs of this folder into FOLDER, and puts the scripts beside them.
set -eu
to=$1
cd "$(dirname "$0")"
mkdir -p "$to"

# c_program NAME FLAG...: shares.c. What GCC does to both kinds of frames by default differs between machines, so it is spelled out.
c_program() {
  name=$1
  shift
  gcc -O2 -Wall -Werror -fno-optimize-sibling-calls "$@" -o "$to/$name" shares.c
}
fp='-fno-omit-frame-pointer -mno-omit-leaf-frame-pointer'
nofp='-fomit-frame-pointer -momit-leaf-frame-pointer'
for linked in '' -static; do
  for stripped in '' -s; do
    # shellcheck disable=SC2086 # lists of flags
    c_program "c-fp$linked$([ -z "$stripped" ] || echo -stripped)" $fp $linked $stripped
    # shellcheck disable=SC2086 # lists of flags
    c_program "c-nofp$linked$([ -z "$stripped" ] || echo -stripped)" $nofp $linked $stripped
  done
done
# shellcheck disable=SC2086 # lists of flags
c_program c-other $fp '-DNAME(function)=other_##function'
# shellcheck disable=SC2086 # lists of flags
gcc -O2 -Wall -Werror -fno-optimize-sibling-calls $fp -o "$to/forker" forker.c
# shellcheck disable=SC2086 # lists of flags
gcc -O2 -Wall -Werror $fp -o "$to/neighbour" neighbour.c
# shellcheck disable=SC2086 # lists of flags
g++ -O2 -Wall -Werror -fno-optimize-sibling-calls $nofp -o "$to/cpp" shares.cc
rustc -O --edition 2021 -o "$to/rust" shares.rs
export GOCACHE="${TMPDIR:-/tmp}/gocache" GOTOOLCHAIN=local GOFLAGS=
go build -o "$to/go" shares.go
go build -ldflags='-s -w' -o "$to/go-stripped" shares.go
javac -d "$to" Shares.java
erlc -o "$to" shares.erl
cp shares.py shares.rb shares.php shares.pl shares.mjs "$to"
rm -rf "$GOCACHE"
