#!/bin/sh
# apt.sh ROOT: gives the image the package sources and the frugality of the official one.
set -eu
rm -f "$1"/var/cache/apt/*.bin
cd "$1/etc/apt"
# One stanza an archive, from the one-line sources that mmdebstrap wrote: Dockerfiles edit this file.
awk '$1 == "deb" {
  printf "Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n", $2, $3
  printf "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n"
}' sources.list >sources.list.d/debian.sources
rm sources.list
cat >apt.conf.d/frugal <<'CONF'
Acquire::Languages "none";
APT::Keep-Downloaded-Packages "false";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
CONF
