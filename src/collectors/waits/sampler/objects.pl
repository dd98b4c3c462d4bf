# ---- What is waited for

my %objects_of_wchan = (
  futex_do_wait => 'futex:-:-', futex_wait_queue => 'futex:-:-', futex_wait_queue_me => 'futex:-:-', hrtimer_nanosleep => 'timer', do_nanosleep => 'timer',
  do_wait => 'child', pipe_read => 'pipe:-', pipe_wait => 'pipe:-', anon_pipe_read => 'pipe:-', inet_csk_accept => 'idle',
  do_sigtimedwait => 'signal', sigsuspend => 'signal', do_signal_stop => 'other:stop', kernel_clone => 'child',
);
sub object_of_wchan { $objects_of_wchan{$_[0]} // '-' }

# What system calls wait for whose arguments alone tell it, by their text: the threads of a pool come back to the same ones.
my %said_by_call;

# The number and the object of a system call, by the text of /proc/TID/syscall.
sub of_call {
  my ($it, $text) = @_;
  my $said = $said_by_call{$text};
  return @$said if $said;
  my @words = split ' ', $text, 5;
  my $number = $words[0];
  my $kind = $call{$number} // '';
  my $object = object_of($it, $kind, $number, \@words);
  if ($kind eq 'futex' || $kind eq 'timer') {
    %said_by_call = () if keys %said_by_call >= 10_000;
    $said_by_call{$text} = [$number, $object];
  }
  return ($number, $object);
}

sub object_of {
  my ($it, $kind, $number, $words) = @_;
  my $first = hex $words->[1];
  if ($kind eq 'futex') {
    return "futex:-:-" if $number != ($is_arm ? 98 : 202);
    my ($operation, $value) = (hex($words->[2]) & 127, hex $words->[3]);
    # glibc and musl wait for a mutex with FUTEX_WAIT and the value 2, and FUTEX_LOCK_PI; glibc for everything else with FUTEX_WAIT_BITSET.
    my $what = $operation == 0 && $value == 2 || $operation == 6 || $operation == 13 ? 'lock' : $operation == 9 ? 'cond' : '-';
    return sprintf 'futex:%x:%s', $first, $what;
  }
  return 'timer' if $kind eq 'timer';
  return 'child' if $kind eq 'child';
  return 'signal' if $kind eq 'signal';
  return 'idle' if $kind eq 'accept';
  return of_descriptor($it, $first, $is_send{$number}) if $kind eq 'read' || $kind eq 'write' || $kind eq 'file';
  return of_poll($it, $first, hex $words->[2]) if $kind eq 'poll';
  return of_select($it, $first, hex $words->[2], hex $words->[3]) if $kind eq 'select';
  return of_epoll($it, $first) if $kind eq 'epoll';
  return lock_on($it, $first) if $kind eq 'flock' || $kind eq 'fcntl';
  return 'other:path' if $kind eq 'path';
  return $kind eq '' ? '-' : "other:$kind";
}

my (%file, %file_time);
my $files = 0;

sub numbered {
  my ($name) = @_;
  if (!exists $file{$name}) {
    # So many names of files are enough to tell which file it is.
    return if $files >= 10_000;
    $file{$name} = ++$files;
    put('file', $now, $files, escaped($name));
  }
  return $file{$name};
}

sub link_of { readlink "/proc/$_[0][TID]/task/$_[0][TID]/fd/$_[1]" }

sub lock_on {
  my ($it, $descriptor) = @_;
  my $number = numbered(link_of($it, $descriptor) // return '-') // return 'other:flock';
  return "flock:$number";
}

# What a read or a write of a descriptor waits for.
sub of_descriptor {
  my ($it, $descriptor, $is_send) = @_;
  my $link = link_of($it, $descriptor) // return '-';
  return of_socket($1, $is_send) if $link =~ /^socket:\[(\d+)\]$/;
  return "pipe:$1" if $link =~ /^pipe:\[(\d+)\]$/;
  if ($link =~ /^anon_inode:\[?(\w+)/) {
    return $1 eq 'timerfd' ? 'timer' : $1 eq 'signalfd' ? 'signal' : $1 eq 'inotify' ? 'idle' : "other:$1";
  }
  return 'other:tty' if $link =~ m{^/dev/(?:pts/|tty|console)};
  my $number = numbered($link) // return 'other:file';
  return "f:$number";
}

# What a thread waits for that is blocked in a system call on one socket.
sub of_socket {
  my ($inode, $is_send) = @_;
  my $socket = socket_of($inode) // return "socket:$inode";
  return $socket->{unix} if $socket->{unix};
  return numbered_socket($socket) if $is_send;
  return $socket->{remote} eq '-' ? 'idle' : numbered_socket($socket) if $socket->{proto} eq 'udp';
  return 'idle' if $socket->{dir} eq 'in';
  return is_outstanding($socket, 1) ? numbered_socket($socket) : 'idle';
}

# Of several sockets only those count on which a reply is outstanding.
sub of_sockets {
  my @inodes = @_;
  my @waits;
  for my $inode (@inodes) {
    my $socket = socket_of($inode) // next;
    next if $socket->{unix} || $socket->{dir} eq 'in' || $socket->{remote} eq '-';
    push @waits, numbered_socket($socket) if $socket->{proto} eq 'udp' || is_outstanding($socket, 0);
    last if @waits == 8;
  }
  return @waits ? join ',', @waits : 'idle';
}

sub of_descriptors {
  my ($it, @descriptors) = @_;
  return 'timer' unless @descriptors;
  if (@descriptors == 1) {
    my $link = link_of($it, $descriptors[0]) // return 'idle';
    return of_socket($1, 0) if $link =~ /^socket:\[(\d+)\]$/;
    return 'idle';
  }
  return of_sockets(map { (link_of($it, $_) // '') =~ /^socket:\[(\d+)\]$/ ? $1 : () } @descriptors);
}

# Reads memory of the thread's process: the arguments of poll and select.
sub memory {
  my ($it, $address, $length) = @_;
  my $memory = open_file("/proc/$it->[TID]/mem") // return;
  my $got = syscall $SYS_pread, $memory, $buffer, $length, $address;
  close_file($memory);
  return $got == $length ? substr $buffer, 0, $length : undef;
}

sub of_poll {
  my ($it, $address, $count) = @_;
  return 'timer' if $count == 0;
  $count = 64 if $count > 64;
  my $list = memory($it, $address, 8 * $count) // return 'other:poll';
  return of_descriptors($it, grep { $_ < 1 << 31 } (unpack '(Ls2)*', $list)[map { 3 * $_ } 0 .. $count - 1]);
}

sub of_select {
  my ($it, $count, @addresses) = @_;
  $count = 1024 if $count > 1024;
  return 'timer' if $count == 0;
  my %set;
  for my $address (grep { $_ } @addresses) {
    my $bits = memory($it, $address, 8 * int(($count + 63) / 64)) // return 'other:select';
    my $flags = unpack 'b*', $bits;
    for (my $at = index $flags, '1'; $at >= 0 && $at < $count; $at = index $flags, '1', $at + 1) { $set{$at} = 1 }
  }
  return of_descriptors($it, sort { $a <=> $b } keys %set);
}

# The device number that all sockets have: other files, such as pipes, have another one.
my $sockets_device = -1;

# The sockets that an epoll watches: [when they were read, inodes…]. A server may watch thousands, so the list is kept for a while.
my %epoll;

sub of_epoll {
  my ($it, $descriptor) = @_;
  my $key = "$it->[PID] $descriptor";
  my $known = $epoll{$key};
  if (!$known || $now >= $known->[0]) {
    my $started = clock(CLOCK_PROCESS_CPUTIME_ID);
    my $info = read_file("/proc/$it->[TID]/fdinfo/$descriptor", 1 << 17) // return 'other:epoll';
    my (@inodes, $watched);
    while ($info =~ /^tfd: .* ino:([0-9a-f]+) sdev:([0-9a-f]+)/mg) {
      $watched++;
      push @inodes, hex $1 if hex $2 == $sockets_device;
    }
    my $cost = clock(CLOCK_PROCESS_CPUTIME_ID) - $started;
    %epoll = () if keys %epoll > 2000;
    $epoll{$key} = $known = [$now + 400 * $cost, $watched // 0, \@inodes];
  }
  return 'timer' unless $known->[1];
  return of_sockets(grep { my $socket = socket_of($_); $socket && !$socket->{unix} && $socket->{dir} ne 'in' } @{$known->[2]});
}

