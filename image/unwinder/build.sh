#!/bin/sh
# Builds the program: build.sh OUTPUT [GOARCH]
#
# It is built from a copy of its modules, because one file of the profiler is replaced: memlock/rlimit.go says why.
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
go build -mod=vendor -trimpath -ldflags='-s -w' -o "$output" .
