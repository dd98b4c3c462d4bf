# The files of programs whose names perf could not read by itself, for its cache of build ids.
#
# perf script opens a file by its path, in the mount namespace of the process that mapped it last. If that process has ended,
# as of a server that starts a program for each request, or if the file was replaced meanwhile, there is no such file, and
# all its functions are unknown. perf looks into its cache of build ids ($HOME/.debug) first. So what has samples and cannot
# be opened is looked for by its build id: in files that processes had mapped during the recording, and by its path in the
# roots of the containers that still live. What has another build id is never taken.

# Bytes of the largest file that is copied, and of all together; and for how long they are looked for, in seconds.
harvest_file_bytes=$((256 << 20)) harvest_all_bytes=$((1 << 30)) harvest_seconds=10
harvest_pid='' harvest_counts=()
# perf looks for the maps of JIT compilers there, if their processes have ended.
harvest_maps=/tmp

# perl is a part of every Debian (perl-base). It is the only program there that can open a file below another root without
# following a link out of it, look what it is before it opens it, and read the parts of an ELF file.
harvest_write() {
  # jitdump.pl comes first.
  { printf '%s' "$perf_program" && cat; } >"$WORK/harvest.pl" <<'PERL'
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

sub name_in_cache { my ($id) = @_; return "$cache/.build-id/" . substr($id, 0, 2) . '/' . substr $id, 2 }

# Copies a file of at most so many bytes, and returns how many there were, or undef: a file may grow while it is copied.
sub copy {
  my ($from, $to, $most) = @_;
  sysopen my $copy, $to, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600 or return;
  my $bytes = 0;
  sysseek $from, 0, SEEK_SET;
  while (1) {
    my $got = sysread $from, my $part, 1 << 20;
    last if defined $got && $got == 0;
    $bytes += $got if defined $got;
    unless (defined $got && $bytes <= $most && (syswrite($copy, $part) // 0) == $got) {
      unlink $to;
      return;
    }
  }
  return ($bytes, $copy);
}

# Copies a file with this build id into the cache. Returns what became of it, and how many bytes that took.
sub take {
  my ($from, $id, $left) = @_;
  my $size = (stat $from)[7];
  return ('large', 0) if $size > $file_bytes;
  return ('total', 0) if $size > $left;
  my $to = "$work/harvest.$$.part";
  my ($bytes, $copy) = copy($from, $to, $size);
  return ('changed', 0) unless $copy;
  # It may have been written to meanwhile.
  if ((build_id($copy) // '') ne $id) {
    unlink $to;
    return ('changed', 0);
  }
  my $folder = name_in_cache($id);
  my $made = '';
  for my $part (split m{/}, substr $folder, length "$work/") {
    $made .= "/$part";
    mkdir "$work$made", 0700;
  }
  return rename($to, "$folder/elf") ? ('taken', $bytes) : ('changed', 0);
}

# Runs a piece of work in a process of its own for at most so many seconds, and returns the lines that it wrote by then: a file
# system of the container that does not answer costs no more than that.
sub bounded {
  my ($most, $piece) = @_;
  return if $most <= 0;
  pipe my $read, my $write or return;
  my $child = fork // return;
  if ($child == 0) {
    close $read;
    # If nobody is left to end it. The default action, so that the kernel ends it wherever it waits.
    alarm 2 + int $most;
    eval { $piece->(sub { syswrite $write, join(' ', @_) . "\n" }) };
    print STDERR $@ if $@;
    # At once, and nothing is written twice that was not yet written when it began.
    kill 'KILL', $$;
  }
  close $write;
  my ($text, $until) = ('', time + $most);
  while (time <= $until) {
    my $set = '';
    vec($set, fileno $read, 1) = 1;
    next unless select $set, undef, undef, 0.2;
    last unless sysread $read, $text, 65536, length $text;
  }
  kill 'KILL', $child;
  for (1 .. 20) {
    last if waitpid $child, WNOHANG;
    select undef, undef, undef, 0.01;
  }
  unlink "$work/harvest.$child.part";
  return map { [split / /] } split /\n/, $text;
}

# Reads from the recording which files have samples, and who had them mapped. Of objects with a build id: { id, path, pids };
# of records without: { at, misc, pid, key, path, start }. A sample counts for whatever its process or those that it was forked
# from ever had at the address, which may be more than one.
sub read_recording {
  my ($until) = @_;
  my (%object, @plain, %maps, %parent, %ended, %hit, %seen, %whole, %dumps);
  sysopen my $file, $data, O_RDONLY or die "$data: $!\n";
  sysread $file, my $head, 104;
  return unless length $head == 104 && $head =~ /^PERFILE2/;
  my ($attr_size, $attr_at, $attrs_size, $data_at, $data_size) = unpack 'x16 Q Q Q Q Q', $head;
  sysseek $file, $attr_at, SEEK_SET;
  sysread $file, my $attr, 32;
  my $type = unpack 'x24 Q', $attr;
  # linux/perf_event.h: what stands before the call chain in a sample.
  my ($at_ip, $at_tid, $at) = (0, 0, $type & 1 << 16 ? 16 : 8);
  for my $bit (0, 1, 2, 3, 6, 9, 7, 8) {
    next unless $type & 1 << $bit;
    $at_ip = $at if $bit == 0;
    $at_tid = $at if $bit == 1;
    $at += 8;
  }
  my $has_chain = $type & 1 << 5 && !($type & 1 << 4);
  # Samples of other events may have other fields: they have no stacks.
  my %other;
  for (my $each = $attr_at; $each < $attr_at + $attrs_size; $each += $attr_size) {
    sysseek $file, $each, SEEK_SET;
    sysread $file, (my $next), $attr_size;
    next if length $next < $attr_size || $type == unpack 'x24 Q', $next;
    my ($ids_at, $ids_size) = unpack 'Q Q', substr $next, -16;
    sysseek $file, $ids_at, SEEK_SET;
    sysread $file, (my $ids), $ids_size;
    $other{$_} = 1 for unpack 'Q*', $ids;
  }
  # With copies of stacks the callers are not known before perf script unwinds them.
  my $is_dwarf = $type & 1 << 13;
  sysseek $file, $data_at, SEEK_SET;
  my ($buffer, $from, $base, $left) = ('', 0, $data_at, $data_size);
  RECORD: while (1) {
    while (length($buffer) - $from < 8 || length($buffer) - $from < unpack 'x6 S', substr $buffer, $from, 8) {
      $base += $from;
      substr $buffer, 0, $from, '';
      $from = 0;
      last RECORD if $left <= 0;
      if (time > $until) {
        print "late\n";
        last RECORD;
      }
      my $got = sysread $file, $buffer, $left < 1 << 22 ? $left : 1 << 22, length $buffer;
      last RECORD unless $got;
      $left -= $got;
    }
    my ($kind, $misc, $size) = unpack 'L S S', substr $buffer, $from, 8;
    last if $size < 8;
    if ($kind == SAMPLE && %other && $other{ unpack 'Q', substr $buffer, $from + 8, 8 }) {
      # Of another event.
    } elsif ($kind == SAMPLE) {
      my $pid = unpack 'L', substr $buffer, $from + $at_tid, 4;
      $whole{$pid} = 1 if $is_dwarf;
      my $length = $has_chain ? 8 * unpack 'Q', substr $buffer, $from + $at, 8 : 0;
      my $chain = substr($buffer, $from + $at_ip, 8) . substr $buffer, $from + $at + 8, $length;
      # What is sampled is sampled often: the stacks that come after so many count by their innermost function.
      $chain = substr $chain, 0, 8 if keys %seen > 200_000;
      unless ($seen{ $pid . $chain }++) {
        # Those of the kernel, and the marks between, are negative.
        $_ > 0 and $hit{$pid}{ $_ >> 12 } = 1 for unpack 'q*', $chain;
      }
    } elsif ($kind == MMAP2 && ($misc & 7) == USER_MODE) {
      my $record = substr $buffer, $from, $size;
      my ($pid, undef, $start, $length) = unpack 'x8 L L Q Q', $record;
      my $path = unpack 'x72 Z*', $record;
      if (unpack('x64 L', $record) & PROT_EXEC && $path =~ m{^/}) {
        my $file;
        $dumps{$pid} = 1 if $path =~ JITDUMP;
        if ($misc & HAS_BUILD_ID) {
          my ($bytes, $id) = unpack 'x40 C x3 a20', $record;
          $id = unpack 'H*', substr $id, 0, $bytes > 20 ? 20 : $bytes;
          $file = $object{"$id $path"} //= { id => $id, path => $path };
        } else {
          my ($major, $minor, $inode) = unpack 'x40 L L Q', $record;
          push @plain, $file = {
            at => $base + $from, misc => $misc, pid => $pid, path => $path, start => $start,
            key => sprintf('%02x:%02x:%s', $major, $minor, $inode)
          } if $inode;
        }
        if ($file) {
          # perf opens it as the process does that mapped it last, by the time of the first sample in it. Whatever had it
          # mapped when the recording began stands before all samples.
          $file->{pids} = {} unless %seen;
          $file->{pids}{$pid} = 1;
          push @{ $maps{$pid} }, [$start, $start + $length, $file];
        }
      }
    } elsif ($kind == FORK) {
      my ($pid, $of) = unpack 'L L', substr $buffer, $from + 8, 8;
      $parent{$pid} = $of if $pid != $of;
    } elsif ($kind == EXIT) {
      my ($pid, undef, $tid) = unpack 'L L L', substr $buffer, $from + 8, 12;
      $ended{$pid} = 1 if $pid == $tid;
    }
    $from += $size;
  }
  for my $pid (keys %hit) {
    my @pages = keys %{ $hit{$pid} };
    my $depth = 0;
    for (my $each = $pid; defined $each && $depth < 16; $each = $parent{$each}, $depth++) {
      for my $map (@{ $maps{$each} // [] }) {
        next if $map->[2]{hit};
        my ($first, $last) = ($map->[0] >> 12, $map->[1] - 1 >> 12);
        $map->[2]{hit} = 1 if $whole{$pid} || grep { $_ >= $first && $_ <= $last } @pages;
      }
    }
  }
  return ([grep { $_->{hit} } values %object], [grep { $_->{hit} } @plain], \%ended, [grep { $hit{$_} } sort keys %dumps]);
}

# Writes build ids into records that have none, and nothing else: they have the place for it (struct perf_record_mmap2).
sub give_id {
  my ($file, $record, $id) = @_;
  sysseek $file, $record->{at} + 4, SEEK_SET;
  syswrite $file, pack 'S', $record->{misc} | HAS_BUILD_ID;
  sysseek $file, $record->{at} + 40, SEEK_SET;
  syswrite $file, pack 'C x3 a20', length $id, $id;
}

# Finds the build ids of files that perf record could not open, because they had been deleted when it began. A file without a
# build id gets none, and perf takes its names from its path: unless the process has ended or the file was replaced, because
# then another file is there.
sub find_ids {
  my ($plain, $is_alive, $until) = @_;
  my %id;
  my @keys = grep { $held{$_} } keys %{ { map { $_->{key} => 1 } @$plain } };
  my @found = bounded(
    $until - time,
    sub {
      my ($say) = @_;
      for my $key (@keys) {
        my $id = build_id($held{$key}{file});
        $say->($key, $id) if defined $id;
      }
    }
  );
  $id{ $_->[0] } = $_->[1] for @found;
  my (@objects, %seen);
  sysopen my $file, $data, O_RDWR or return;
  for my $record (@$plain) {
    my $id = $id{ $record->{key} };
    if (defined $id) {
      give_id($file, $record, pack 'H*', $id);
      push @objects, { id => $id, path => $record->{path}, pids => { $record->{pid} => 1 }, key => $record->{key} }
        unless $seen{"$id $record->{path}"}++;
      next;
    }
    my $is_there = $is_alive->($record->{pid});
    if ($is_there && $record->{path} !~ / \(deleted\)$/) {
      my $start = sprintf '%x', $record->{start};
      my ($path) = read_text("/proc/$record->{pid}/maps", 8 << 20) =~ /^0*$start-\S+ ..x. \S+ \S+ \d+ *(.*)$/m;
      $is_there = defined $path && $path eq $record->{path};
    }
    give_id($file, $record, NOBODYS_ID) unless $is_there;
  }
  return @objects;
}

# Takes what is held open.
sub take_held {
  my ($wanted, $until) = @_;
  my %of;
  for my $key (keys %held) {
    push @{ $of{ s/ \(deleted\)$//r } }, $key for keys %{ $held{$key}{paths} };
  }
  try($wanted, $until, sub {
    my ($object) = @_;
    return $held{ $object->{key} }{file} if $object->{key} && $held{ $object->{key} };
    for my $key (@{ $of{ $object->{path} =~ s/ \(deleted\)$//r } // [] }) {
      my $id = $held{$key}{id} //= build_id($held{$key}{file}) // '';
      return $held{$key}{file} if $id eq $object->{id};
    }
    return;
  });
}

# Looks for each of the objects with the given function, and takes it if it is needed; else it is enough that it is there, or
# with a word of its own for that, always.
sub try {
  my ($wanted, $until, $find, $if_there) = @_;
  return unless @$wanted;
  my $left = $all_bytes - $taken_bytes;
  my @said = bounded(
    $until - time,
    sub {
      my ($say) = @_;
      for my $at (0 .. $#$wanted) {
        my $object = $wanted->[$at];
        my $file = $find->($object) or next;
        next unless (build_id($file) // '') eq $object->{id};
        my ($what, $bytes) =
          $if_there || !$object->{needed} ? ($if_there // 'there', 0) : take($file, $object->{id}, $left);
        $left -= $bytes;
        $say->($at, $what, $bytes);
      }
    }
  );
  for my $line (@said) {
    my ($at, $what, $bytes) = @$line;
    my $object = $wanted->[$at];
    if ($what eq 'taken') {
      $object->{done} = 1;
      $taken++;
      $taken_bytes += $bytes;
    } elsif ($what eq 'home') {
      $object->{needed} = 0;
    } elsif ($what eq 'there') {
      $object->{there}++;
    } else {
      $object->{problem} = $what;
    }
  }
}

sub wanted { return [grep { $_->{needed} && !$_->{done} } @_] }

sub fill {
  my $until = time + $seconds;
  my ($objects, $plain, $ended, $dumps) = read_recording(time + $seconds / 2);
  return unless $objects;
  my $is_alive = sub { my ($pid) = @_; return !$ended->{$pid} && -e "/proc/$pid" };
  if (grep { !$held{ $_->{key} } } @$plain) { sweep(time + 1) }
  my @objects = (@$objects, $plain && @$plain ? find_ids($plain, $is_alive, time + 2) : ());

  my (%space, %of);
  for my $object (@objects) {
    for my $pid (keys %{ $object->{pids} }) {
      my $space = $is_alive->($pid) ? readlink "/proc/$pid/ns/mnt" : undef;
      if (defined $space) {
        $space{$space} //= $pid;
        $of{$space}{$object} = $object;
        $object->{spaces}{$space} = 1;
      } else {
        $object->{needed} = 1;
      }
    }
    $object->{needed} = 1 if $object->{path} =~ / \(deleted\)$/;
  }
  # perf opens what a process that has ended had mapped in its own root: that is right for the programs of this pod.
  my $at_home = sub {
    sysopen my $found, $_[0]{path}, O_PATH or return;
    return reopen($found);
  };
  try(wanted(@objects), time + 2, $at_home, 'home');
  take_held(wanted(@objects), time + 3);
  # perf can open what every process that has it mapped, and lives, has at that path.
  for my $space (sort keys %space) {
    my $pid = $space{$space};
    try([grep { !$_->{done} } values %{ $of{$space} }], min(time + 2, $until), sub { open_in_root($pid, $_[0]{path}) });
  }
  for my $object (@objects) { $object->{needed} = 1 if ($object->{there} // 0) < keys %{ $object->{spaces} // {} } }
  # What else lives in the scope may have it: another process of the same container.
  if (@{ wanted(@objects) }) {
    for my $pid (pids()) {
      my $space = readlink "/proc/$pid/ns/mnt";
      $space{$space} //= $pid if defined $space && $space ne $own;
    }
    for my $space (sort keys %space) {
      my $pid = $space{$space};
      try(wanted(@objects), min(time + 2, $until), sub { open_in_root($pid, $_[0]{path}) });
    }
  }
  if (@{ wanted(@objects) }) {
    sweep(min(time + 2, $until));
    take_held(wanted(@objects), time + 3);
  }
  take_maps($dumps, $is_alive, time + 5);
  for my $object (@{ wanted(@objects) }) {
    my $why = $object->{problem} // (time >= $until ? 'time' : '');
    report($why, $object->{path}) if $why =~ /^(?:large|total|time)$/;
  }
}

# perf looks for a map in its own /tmp, under the pid of the node, if a process has ended or has none in its own /tmp.
sub take_maps {
  my ($dumps, $is_alive, $until) = @_;
  for my $pid (grep { $is_alive->($_) } @$dumps) {
    # It may be another program by now, or have begun to compile.
    delete $dump_of{$pid};
    look($pid);
  }
  my %path_of = map { $_ => $dump_of{$_}{path} } grep { $dump_of{$_} } @$dumps;
  for my $pid (grep { !$is_alive->($_) } keys %map_of) {
    $path_of{$pid} = "/tmp/perf-$pid.map";
    delete $dump_of{$pid};
  }
  return unless %path_of;
  my @said = bounded(
    $until - time,
    sub {
      my ($say) = @_;
      my $left = $all_bytes - $taken_bytes;
      for my $pid (sort keys %path_of) {
        my ($dump, $map, $to) = ($dump_of{$pid}, $map_of{$pid}, "$maps/perf-$pid.map");
        my $size = $dump ? 0 : (stat $map)[7];
        my ($what, $bytes) =
            $dump ? write_jit_map($dump->{file}, $dump->{inside}, $to, $file_bytes, min($left, $map_bytes), $until - 1)
          : $size > $map_bytes ? 'large'
          : $size > $left ? 'total'
          : ('taken', copy($map, $to, $size));
        $left -= $bytes // 0;
        $say->($pid, $what eq 'taken' && !defined $bytes ? 'changed' : $what, $bytes // 0);
      }
    }
  );
  for my $line (@said) {
    my ($pid, $what, $bytes) = @$line;
    my $path = delete $path_of{$pid};
    report($what, $path) if $what ne 'taken' && $what ne 'changed';
    next unless $what eq 'taken';
    $taken++;
    $taken_bytes += $bytes;
  }
  report('time', $path_of{$_}) for sort keys %path_of;
}

sub min { my ($one, $other) = @_; return $one < $other ? $one : $other }

# A path may hold anything.
sub report {
  my ($why, $path) = @_;
  $path =~ s/[^ -~]/?/g;
  print "missed $why $path\n";
}

$| = 1;
if ($mode eq 'watch') {
  WATCH: while (1) {
    exit if getppid != $parent;
    sweep();
    my $set = '';
    vec($set, 0, 1) = 1;
    next unless select $set, undef, undef, 1;
    exit unless sysread STDIN, my $said, 10;
    last;
  }
}
print "heard\n";
fill();
print "taken $taken $taken_bytes\n";
PERL
}

# Begins to look at the files of the scope's processes, while the recording runs.
harvest_begin() {
  type -P perl >/dev/null || return 0
  harvest_write
  rm -f "$WORK/harvest.ask"
  mkfifo "$WORK/harvest.ask"
  exec {harvest_ask}<>"$WORK/harvest.ask"
  harvest_run watch "$WORK/harvest.ask"
}

# harvest_run watch|fill FILE: starts the program, which is asked by FILE. The space for its copies is what the node can spare.
harvest_run() {
  local folder=$cgroup_root/$watched_cgroup
  local -i most=$harvest_all_bytes
  [[ ${arg[scope]} != node ]] || folder=''
  free_space
  ((free_percent > arg[min_free_percent] && most <= free_bytes / 4 / recorders)) || most=$((free_bytes / 4 / recorders))
  ((free_percent > arg[min_free_percent])) || most=0
  (
    ulimit -n 8192 || ulimit -n "$(ulimit -Hn)"
    [[ -z ${harvest_ask-} ]] || exec {harvest_ask}>&-
    exec perl "$WORK/harvest.pl" "$1" "$WORK" "$OUT/perf.data" "$harvest_maps" "$folder" "$harvest_file_bytes" "$most" \
      "$perf_map_bytes" "$harvest_seconds" "$recorders"
  ) <"$2" >"$WORK/harvest.said" 2>"$OUT/harvest.log" &
  harvest_pid=$!
}

harvest_is_running() { [[ -n $harvest_pid ]] && kill -0 "$harvest_pid" 2>/dev/null; }

# harvest_waits SECONDS [WORD]: waits until the program has said so, or until it has ended. Fails if it does neither.
harvest_waits() {
  local -i until
  now_ms
  until=$((now + $1 * 1000))
  while harvest_is_running; do
    [[ -z ${2-} ]] || ! grep -qs "^$2" "$WORK/harvest.said" || return 0
    now_ms
    ((now < until)) || return 1
    pause 0.02
  done
}

# Nobody waits for a process that the kernel does not let end.
harvest_kill() {
  if harvest_is_running; then
    kill -KILL "$harvest_pid" 2>/dev/null
    pause 0.1
  fi
  harvest_is_running || wait "$harvest_pid" 2>/dev/null
  harvest_pid=''
}

# Asks the program to fill the cache of build ids.
harvest_ask() { [[ -z ${harvest_ask-} ]] || printf 'fill\n' >&"$harvest_ask"; }

# Waits until the cache of build ids is filled, before perf script reads it. If a file system held the program up while the
# recording ran, what it held is lost, and another one looks only for what is still there.
harvest_fill() {
  local word count bytes rest why=''
  local -i missed=0
  harvest_counts=()
  if ! type -P perl >/dev/null; then
    harvest_counts=(unharvested: 0 unharvested_why tools)
    return
  fi
  if ! harvest_waits 3 heard || ! grep -qs '^heard' "$WORK/harvest.said"; then
    harvest_kill
    harvest_run fill /dev/null
  fi
  harvest_waits $((harvest_seconds + 5)) || why='time'
  harvest_kill
  : >"$WORK/not-read"
  while read -r word count bytes rest; do
    case $word in
      taken) harvest_counts+=(harvested: "$count" harvested_bytes: "$bytes") ;;
      late) why='time' ;;
      missed)
        why=$count
        missed+=1
        printf '# not read : %s: %s\n' "$count" "$bytes${rest:+ $rest}" >>"$WORK/not-read"
        ;;
    esac
  done <"$WORK/harvest.said"
  [[ -z $why ]] || harvest_counts+=(unharvested: "$missed" unharvested_why "$why")
}
