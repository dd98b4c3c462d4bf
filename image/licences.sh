#!/bin/sh
# licences.sh FOLDER PACKAGE: copies into FOLDER the licences of the Go modules that the program is made of, and of Go. It runs in the
# folder of the program's go.mod. A module without a licence ends the build.
set -eu
target=$1
modules=$(go list -deps -f '{{with .Module}}{{if .Version}}{{.Path}}@{{.Version}} {{.Dir}}{{end}}{{end}}' "$2" | sort -u)
{
  echo "$modules"
  echo "go $(go env GOROOT)"
} | while read -r name folder; do
  mkdir -p "$target/$name"
  find "$folder" -maxdepth 1 -type f \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'notice*' \) \
    -exec cp {} "$target/$name/" \;
  # Debian has Go's own in the package's documentation.
  if [ "$name" = go ] && [ ! -e "$target/go/LICENSE" ]; then cp /usr/share/doc/golang-*-go/copyright "$target/go/"; fi
  if rmdir "$target/$name" 2>/dev/null; then
    echo "$name has no licence file" >&2
    exit 1
  fi
done
