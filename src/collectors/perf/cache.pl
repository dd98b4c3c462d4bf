# ---- Fills perf's cache of build ids with the files that perf cannot open by itself

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
  for (1 .. 200) {
    last if waitpid $child, WNOHANG;
    select undef, undef, undef, 0.001;
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
