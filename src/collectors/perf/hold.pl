# Holds the files of the scope's processes open while perf records.
#
# perl is a part of every Debian (perl-base). It is the only program there that can open a file below another root without
# following a link out of it, look what it is before it opens it, and read the parts of an ELF file.
use strict;
use warnings;
use Fcntl qw(:mode :seek O_RDONLY O_RDWR O_WRONLY O_CREAT O_EXCL O_NONBLOCK O_NOFOLLOW O_NOCTTY);

# Linux, the same on amd64 and arm64. O_PATH finds a file without opening it. (The module POSIX takes 20 ms to load.)
use constant { O_PATH => 010000000, WNOHANG => 1 };
use constant { MMAP2 => 10, FORK => 7, EXIT => 4, SAMPLE => 9 };
use constant { HAS_BUILD_ID => 1 << 14, USER_MODE => 2, PROT_EXEC => 4 };
# File systems whose server may never answer. One below an overlay is not seen: it costs this process its time (harvest_fill).
use constant MAY_HANG => qr/^(?:fuse|nfs|cifs|smb|9p|ceph|afs|lustre|virtiofs)/;
# Of a record without a build id whose file nobody can be sure of: no file has it, so it gets no names.
use constant NOBODYS_ID => 'no such build id    ';
use constant JITDUMP => qr{/jit-(\d+)\.dump(?: \(deleted\))?$};

my ($mode, $work, $data, $maps, $cgroup, $file_bytes, $all_bytes, $map_bytes, $seconds, $recorders) = @ARGV;
my $cache = "$work/.debug";
my $parent = getppid;
my $began = time;
my $own = readlink('/proc/self/ns/mnt') // '';
opendir my $home, '/' or die "/: $!\n";

# Files that are held open, by device and inode as /proc/PID/maps has them: { file, paths }. There are at most so many.
my %held;
my $most_held = 4000;
# Maps of JIT compilers that are held open, by pid, and their jitdump files: { file, path, inside }, the last as their own pid.
my (%map_of, %dump_of);
# The round in which a process is looked at again, by pid; and how long it waits then.
my (%next_look, %wait);
my $round = 0;
my %may_hang;
my ($taken, $taken_bytes) = (0, 0);
my %problem;

# The processes of the scope. There may be any number of cgroups below a pod's.
sub pids {
  if ($cgroup eq '') {
    opendir my $proc, '/proc' or return;
    return grep { /^\d+$/ } readdir $proc;
  }
  my (@found, $count);
  my @folders = ($cgroup);
  while (defined(my $folder = shift @folders)) {
    last if ++$count > 1000;
    if (open my $procs, '<', "$folder/cgroup.procs") {
      push @found, map { /^(\d+)$/ ? $1 : () } <$procs>;
    }
    opendir my $below, $folder or next;
    push @folders, map { "$folder/$_" } grep { !/^\./ && -d "$folder/$_" } readdir $below;
  }
  return @found;
}

sub read_text {
  my ($path, $most) = @_;
  sysopen my $file, $path, O_RDONLY or return '';
  my $text = '';
  while (length $text < $most) {
    my $got = sysread $file, $text, 65536, length $text;
    last unless $got;
  }
  return $text;
}

# Opens what O_PATH has found for reading, if it is a regular file: a device or fifo is not opened at all.
sub reopen {
  my ($found) = @_;
  my @stat = stat $found or return;
  return unless S_ISREG($stat[2]);
  sysopen my $file, '/proc/self/fd/' . fileno $found, O_RDONLY | O_NONBLOCK | O_NOCTTY or return;
  return $file;
}

# A regular file by its path as the process sees it. Links lead to where they lead for the process, never out of its root.
sub open_in_root {
  my ($pid, $path) = @_;
  my ($file, $is_found);
  if (chroot "/proc/$pid/root") {
    $is_found = chdir '/' && sysopen $file, $path, O_PATH | O_NOFOLLOW;
    chdir $home and chroot '.' or die "cannot leave a root: $!\n";
  }
  return $is_found ? reopen($file) : undef;
}

sub hangs {
  my ($pid, $device) = @_;
  return $may_hang{$device} if exists $may_hang{$device};
  my ($major, $minor) = map { hex } split /:/, $device;
  my $types = '';
  if ($major == 0) {
    for my $line (split /\n/, read_text("/proc/$pid/mountinfo", 1 << 20)) {
      my @field = split ' ', $line;
      next unless $field[2] eq "$major:$minor";
      ($types) = $line =~ / - (\S+)/;
      last;
    }
  }
  return $may_hang{$device} = $types =~ MAY_HANG ? 1 : 0;
}

# Holds the files that a process has mapped as code, and the map of its JIT compiler.
sub look {
  my ($pid) = @_;
  my $text = read_text("/proc/$pid/maps", 8 << 20);
  my (%opened, $makes_code, %dump);
  while ($text =~ /^([0-9a-f]+)-([0-9a-f]+) ..x. \S+ (\S+) (\d+) *(.*)$/mg) {
    my ($line, $start, $end, $device, $inode, $path) = ($&, $1, $2, $3, $4, $5);
    if ($inode == 0) {
      $makes_code = 1 unless $path =~ /^\[v/;
      next;
    }
    my $key = "$device:$inode";
    # A JIT compiler maps it as code, so that it is found (Linux tools/perf/util/jitdump.c, jit_detect).
    $dump{$1} = [$key, $path] if $path =~ JITDUMP;
    if ($held{$key}) {
      $held{$key}{paths}{$path} = 1 if keys %{ $held{$key}{paths} } < 8;
      next;
    }
    $makes_code = 1 if $path =~ m{^/memfd:};
    next if keys %held >= $most_held || $opened{$key} || hangs($pid, $device);
    s/^0+(?=.)// for $start, $end;
    sysopen my $found, "/proc/$pid/map_files/$start-$end", O_PATH or next;
    my $file = reopen($found) or next;
    $opened{$key} = { file => $file, line => $line, path => $path };
  }
  # Something else may have been mapped there before it was opened.
  if (%opened) {
    $text = read_text("/proc/$pid/maps", 8 << 20);
    while (my ($key, $each) = each %opened) {
      $held{$key} = { file => $each->{file}, paths => { $each->{path} => 1 } } if index($text, "$each->{line}\n") >= 0;
    }
  }
  return if !$makes_code || $map_of{$pid} && !%dump || keys %map_of >= 500;
  my ($inside) = read_text("/proc/$pid/status", 1 << 16) =~ /^NStgid:.*?(\d+)$/m or return;
  # What it was forked from may have mapped another one.
  my ($key, $path) = @{ $dump{$inside} // [''] };
  $dump_of{$pid} = { file => $held{$key}{file}, path => $path, inside => $inside } if $held{$key};
  return if $map_of{$pid};
  my $file = open_in_root($pid, "/tmp/perf-$inside.map") or return;
  $map_of{$pid} = $file;
}

sub used_seconds { my @times = times; return $times[0] + $times[1] }
my $used_before = used_seconds();

# Looks at the processes that are new, and again at others, ever less often. While the recording runs that takes at most
# half a percent of a core for all recorders of the pod, besides 50 ms for each.
sub sweep {
  my ($until) = @_;
  $round++;
  my %here;
  # The newest pids first, because they are most likely gone soon.
  for my $pid (sort { $b <=> $a } pids()) {
    $here{$pid} = 1;
    next if $until ? time > $until : used_seconds() - $used_before > 0.05 + 0.005 / $recorders * (time - $began);
    next if exists $next_look{$pid} && $next_look{$pid} > $round && !$until;
    $wait{$pid} = 2 * ($wait{$pid} // 0.5);
    $next_look{$pid} = $round + $wait{$pid};
    my $space = readlink "/proc/$pid/ns/mnt";
    look($pid) if defined $space && $space ne $own;
  }
  for my $pid (keys %next_look) {
    next if $here{$pid};
    delete $next_look{$pid};
    delete $wait{$pid};
  }
}

# The build id of an ELF file in its notes, in hexadecimal digits, or undef.
sub build_id {
  my ($file) = @_;
  my $at = sub {
    my ($offset, $length) = @_;
    my $bytes = '';
    return '' unless defined sysseek $file, $offset, SEEK_SET;
    sysread $file, $bytes, $length;
    return $bytes // '';
  };
  my $head = $at->(0, 64);
  return unless length $head == 64 && $head =~ /^\x7fELF([\x01\x02])\x01/;
  my $wide = $1 eq "\x02";
  my ($table, $size, $count) =
    $wide ? (unpack('x32 Q', $head), unpack('x54 S S', $head)) : (unpack('x28 L', $head), unpack('x42 S S', $head));
  return if $size < ($wide ? 56 : 32) || $size > 256 || $count > 512;
  my $headers = $at->($table, $size * $count);
  for my $each (0 .. $count - 1) {
    my $header = substr $headers, $each * $size, $size;
    return if length $header < $size;
    next unless unpack('L', $header) == 4;
    my ($offset, $length, $align) =
      $wide ? (unpack('x8 Q', $header), unpack('x32 Q x8 Q', $header)) : unpack('x4 L x8 L x8 L', $header);
    $align = 4 unless $align == 8;
    my $notes = $at->($offset, $length > 65536 ? 65536 : $length);
    while (length $notes >= 12) {
      my ($name, $described, $type) = unpack 'L3', $notes;
      my $where = 12 + $name;
      $where += -$where % $align;
      return $described <= 20 ? unpack('H*', substr $notes, $where, $described) : undef
        if $type == 3 && $described && $name == 4 && substr($notes, 12, 4) eq "GNU\0" && length $notes >= $where + $described;
      $where += $described;
      $where += -$where % $align;
      last if $where >= length $notes;
      $notes = substr $notes, $where;
    }
  }
  return;
}
