#!/bin/sh
# Builds the program: build.sh OUTPUT [GOARCH]
#
# It is built from a copy of its modules, because the profiler is changed: memlock/rlimit.go.replacement, ruby/ and perl/ say why.
# profiler.patch has the places of the profiler that call ours; a place that has changed ends the build.
set -eu
output=$(realpath "$1")
cd "$(dirname "$0")"
GOARCH=${2-$(go env GOARCH)} CGO_ENABLED=0
export GOARCH CGO_ENABLED
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp -R . "$folder/source"
cd "$folder/source"
go mod vendor
cp memlock/rlimit.go.replacement vendor/go.opentelemetry.io/ebpf-profiler/rlimit/rlimit.go
patch --directory=vendor/go.opentelemetry.io/ebpf-profiler --strip=1 --fuzz=0 --quiet --input="$PWD/profiler.patch"
go build -mod=vendor -trimpath -ldflags='-s -w' -o "$output" .
