#!/bin/sh
# slim.sh FOLDER PACKAGE...: puts into FOLDER the root file system that the image consists of: the files of the packages, the
# shared libraries that these need, and nothing else of the Debian that it runs in.
#
# What no program of the image reads is left out: manuals, translations, what perf needs to run scripts in Python or Perl,
# and conversions between character sets. Every package that a file comes from is in /var/lib/dpkg/status.d, where
# scanners look for it, and its copyright is in /usr/share/doc.
set -eu
export LC_ALL=C
target=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
left_out='^/usr/(include|share/(bash-completion|bug|doc|doc-base|info|lintian|locale|man|menu|python3|zsh))(/|$)'
left_out="$left_out|^/usr/lib/(python3|systemd|tmpfiles.d|perf-core/(scripts|tests))(/|\$)|^/usr/share/perf-core/tests"
# Programs that log somebody in, or need libraries that no other one needs, and perl's second name.
left_out="$left_out|^/etc/(apparmor.d|cron.*|pam.d|skel|update-motd.d)(/|\$)|^/usr/bin/(su|lslogins|localedef|perl5.*|pzstd)\$"
left_out="$left_out|^/usr/sbin/(agetty|arpd|getty|iconvconfig|runuser|sulogin|tipc|zic)\$"

# The files of the packages, and those that their installation made.
for package; do dpkg-query --listfiles "$package"; done | grep -vE "$left_out" | grep -v '^/\.$' >"$work/wanted"
for path in /etc/passwd /etc/group /etc/nsswitch.conf /usr/bin/awk /usr/bin/which /etc/alternatives/awk /etc/alternatives/which; do
  [ ! -e "$path" ] || echo "$path" >>"$work/wanted"
done
echo /etc/ld.so.conf.d/*.conf | tr ' ' '\n' >>"$work/wanted"

# path_with_links PATH: prints the path without links in its folders, then what it leads to, link by link.
path_with_links() {
  path=$1
  while :; do
    path=$(realpath "$(dirname "$path")")/$(basename "$path")
    echo "$path"
    [ -L "$path" ] || return 0
    next=$(readlink "$path")
    case $next in
      /*) path=$next ;;
      *) path=$(dirname "$path")/$next ;;
    esac
  done
}

# ldd says what a program loads and what that loads in turn. It fails for files that load nothing.
while read -r path; do
  if [ -f "$path" ] && [ "$(head -c 4 "$path" | tr -d '\0')" = "$(printf '\177ELF')" ]; then echo "$path"; fi
done <"$work/wanted" >"$work/programs"
xargs ldd <"$work/programs" >"$work/ldd" 2>/dev/null || :
if grep 'not found' "$work/ldd"; then exit 1; fi
awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^\/.*\.so/ && $i !~ /:$/) print $i }' "$work/ldd" | sort -u |
  while read -r path; do path_with_links "$path"; done | sort -u >"$work/libraries"

mkdir -p "$target"
sort -u "$work/wanted" "$work/libraries" >"$work/all"
tar -C / --no-recursion -cf - --files-from="$work/all" 2>"$work/tar.log" | tar -C "$target" -xpf -
chroot "$target" ldconfig

# dpkg knows some libraries by the path before /lib was a link to /usr/lib.
while read -r path; do
  dpkg-query --search "$path" 2>/dev/null || dpkg-query --search "${path#/usr}" 2>/dev/null || [ -L "$path" ]
done <"$work/libraries" | sed 's/:.*//' | sort -u >"$work/owners"
mkdir -p "$target/var/lib/dpkg/status.d"
for package in "$@" $(cat "$work/owners"); do
  dpkg-query --status "$package" >"$target/var/lib/dpkg/status.d/$package"
  mkdir -p "$target/usr/share/doc/$package"
  cp -L "/usr/share/doc/$package/copyright" "$target/usr/share/doc/$package/copyright"
  # The sums of the files that are here.
  dpkg-query --control-show "$package" md5sums 2>/dev/null | while read -r sum path; do
    [ ! -f "$target/$path" ] || echo "$sum  $path"
  done >"$target/var/lib/dpkg/status.d/$package.md5sums"
done
