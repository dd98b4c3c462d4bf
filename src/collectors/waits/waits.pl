# Looks at the threads of a target, and writes what they do: docs/waits-format.md describes the lines.
# Only perl-base is needed, which every Debian has: so there is no Time::HiRes, and the clock is read by a system call.
#
# A look must be cheap. The file schedstat of each thread stays open, and reading it takes a microsecond. If its text is as it was,
# the thread has not run since, so it is where it was, and nothing else is read. Files are read by system calls, because
# perl's own open makes six of them, and a seek is one more.
use strict;
use warnings;
no warnings "portable"; # Addresses have more than 32 bits.
use Errno qw(EMFILE);
use Fcntl qw(O_RDONLY O_WRONLY O_APPEND O_CREAT O_NONBLOCK O_NOCTTY);
use Socket qw(inet_ntop AF_INET AF_INET6 AF_UNIX);

my ($out, $reason_file, $arch, $rate, $most_threads, $netns, $containers, $scope, $path, $limits, $usages, $ticks) = @ARGV;
my %is_container = map { $_ => 1 } split /,/, $containers;
my $is_pod = $containers ne '' && $scope !~ /[0-9a-f]{64}(?:\.scope)?$/;

# Numbers of system calls. aarch64 lacks the older ones.
my $is_arm = $arch eq 'aarch64';
use constant { CLOCK_REALTIME => 0, CLOCK_MONOTONIC => 1, CLOCK_PROCESS_CPUTIME_ID => 2, CLONE_NEWNET => 0x40000000 };
my ($SYS_clock_gettime, $SYS_setns, $SYS_openat, $SYS_close, $SYS_pread) = $is_arm ? (113, 268, 56, 57, 67) : (228, 308, 257, 3, 17);
use constant { AT_FDCWD => -100, O_CLOEXEC => 02000000 };
# What a thread waits for in a system call. `fd` calls have a descriptor as their first argument; `read` and `write` of a socket
# wait for data or for room.
my %calls = (
  read => [$is_arm ? (63, 65, 67, 69, 286, 207, 212, 243) : (0, 19, 17, 295, 327, 45, 47, 299)],
  write => [$is_arm ? (64, 66, 68, 70, 287, 206, 211, 269, 203) : (1, 20, 18, 296, 328, 44, 46, 307, 42)],
  file => [$is_arm ? (82, 83, 84, 46, 47, 62, 71, 61) : (74, 75, 277, 77, 285, 8, 40, 217)],
  path => [$is_arm ? (56, 35, 38, 276, 79, 291, 34, 48) : (257, 2, 87, 263, 82, 316, 4, 6, 262, 332, 83, 258, 21, 269)],
  accept => [$is_arm ? (202, 242) : (43, 288)],
  epoll => [$is_arm ? (22, 441) : (232, 281, 441)],
  poll => [$is_arm ? 73 : (7, 271)],
  select => [$is_arm ? 72 : (23, 270)],
  futex => [$is_arm ? (98, 449, 455) : (202, 449, 455)],
  timer => [$is_arm ? (101, 115) : (35, 230)],
  child => [$is_arm ? (260, 95) : (61, 247)],
  signal => [$is_arm ? (133, 137) : (34, 130, 128)],
  flock => [$is_arm ? 32 : 73],
  fcntl => [$is_arm ? 25 : 72],
  aio => [$is_arm ? (4, 292) : (208, 333)],
  io_uring => [426],
  semaphore => [$is_arm ? (192, 193) : (65, 220)],
  message => [$is_arm ? (188, 189) : (69, 70)],
);
my %call;
for my $kind (keys %calls) { $call{$_} = $kind for @{$calls{$kind}} }
my %is_send = map { $_ => 1 } @{$calls{write}};

sysopen my $file, $out, O_WRONLY | O_APPEND | O_CREAT, 0640 or die "$out: $!\n";
my $text = '';

my $spec = "\0" x 16;

# Microseconds of a clock.
sub clock {
  syscall $SYS_clock_gettime, $_[0], $spec;
  my ($seconds, $nanoseconds) = unpack 'qq', $spec;
  return $seconds * 1_000_000 + int($nanoseconds / 1000);
}

my $began = clock(CLOCK_MONOTONIC);
my $now = 0;
my $cpu = 0;
sub tell_time { $now = clock(CLOCK_MONOTONIC) - $began }

sub put { $text .= join(' ', @_) . "\n" }

# Only whole lines are written, so a recording that is cut by a kill lacks only its end.
sub flush {
  while ($text ne '') {
    my $wrote = syswrite $file, $text;
    exit 1 unless $wrote;
    substr $text, 0, $wrote, '';
  }
}

sub escaped {
  my ($string) = @_;
  $string =~ s/([^\x21-\x24\x26-\x7e])/sprintf '%%%02X', ord $1/ge;
  return $string eq '' ? '%' : $string;
}

# Opens a file of /proc or of a cgroup, and returns its descriptor; undef if that fails.
sub open_file {
  my ($name) = @_;
  my $descriptor = syscall $SYS_openat, AT_FDCWD, $name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0;
  return $descriptor < 0 ? undef : $descriptor;
}

sub close_file { syscall $SYS_close, $_[0] if defined $_[0] }

# The text of an open file, 4096 bytes at most; undef if there is none, as for a thread that has ended.
my $buffer = "\0" x 4096;

sub again {
  my $got = syscall $SYS_pread, $_[0], $buffer, 4096, 0;
  return $got > 0 ? substr $buffer, 0, $got : undef;
}

# The text of an open file, up to so many bytes.
my $large = "\0" x 65536;

sub whole {
  my ($descriptor, $most) = @_;
  my $content = '';
  while (length $content < $most) {
    my $got = syscall $SYS_pread, $descriptor, $large, 65536, length $content;
    last if $got <= 0;
    $content .= substr $large, 0, $got;
  }
  return $content;
}

sub read_file {
  my ($name, $most) = @_;
  my $descriptor = open_file($name) // return;
  my $content = $most > 4096 ? whole($descriptor, $most) : again($descriptor) // '';
  close_file($descriptor);
  return $content;
}

# ---- Processes and threads

# A thread: its number and that of its process, its open files, the text of schedstat at its last look, and what was seen then.
use constant { TID => 0, PID => 1, SCHEDSTAT => 2, STAT => 3, SYSCALL => 4, TEXT => 5, STATE => 6, COMM => 7, CPU => 8, LOOKED => 9 };
my (@threads, %thread, %process);
# When the last round over all threads began, and the one that goes on: a thread without a new look was seen in both.
my ($last_round, $this_round) = (0, 0);
my $has_ended = '';
my $missed = 0;

# The cgroups of the target, by folder: { container, list, text }. The files of cgroups have a dot, or are one of these three.
my %folders;

sub find_folders {
  my @found = ([$scope, $scope =~ /([0-9a-f]{64})(?:\.scope)?$/ ? $1 : '-']);
  for (my $at = 0; $at < @found && @found < 1000; $at++) {
    my ($folder, $container) = @{$found[$at]};
    # A folder without folders in it has two links.
    next if ((stat $folder)[3] // 2) == 2;
    opendir my $below, $folder or next;
    for my $name (readdir $below) {
      next if $name =~ /^\.|^(?:cgroup|cpu|cpuset|memory|io|pids|hugetlb|rdma|misc|irq|perf_event)\.|^(?:tasks|notify_on_release|release_agent)$/;
      next if !-d "$folder/$name";
      my $id = $name =~ /^(?:(?:cri-containerd|crio|docker)-)?([0-9a-f]{64})(?:\.scope)?$/ ? $1 : '';
      # The sandbox of a pod is not one of its containers.
      next if $is_pod && $at == 0 && $id ne '' && !$is_container{$id};
      push @found, ["$folder/$name", $container ne '-' || $id eq '' ? $container : $id];
    }
  }
  return @found;
}

sub list_folders {
  my %found = map { $_->[0] => $_->[1] } find_folders();
  for my $folder (keys %folders) {
    next if exists $found{$folder};
    close_file($folders{$folder}{list});
    delete $folders{$folder};
  }
  for my $folder (keys %found) {
    next if $folders{$folder};
    my $list = open_file("$folder/cgroup.threads") // open_file("$folder/tasks") // next;
    $folders{$folder} = { container => $found{$folder}, list => $list, text => '' };
  }
}

my $next_folders = 0;

# Finds the threads of the target that are new, and drops those that left it.
sub list_threads {
  if ($now >= $next_folders) {
    list_folders();
    $next_folders = $now + 1_000_000;
  }
  my $is_new = '';
  for my $it (values %folders) {
    my $text = whole($it->{list}, 1 << 20);
    next if $text eq $it->{text};
    $it->{text} = $text;
    $is_new = 1;
  }
  return unless $is_new;
  my %seen;
  for my $it (values %folders) {
    for my $tid (split /\n/, $it->{text}) {
      $seen{$tid} = 1;
      begin_thread($tid, $it->{container}) unless exists $thread{$tid};
    }
  }
  return if keys %seen == keys %thread;
  for my $tid (keys %thread) {
    next if $seen{$tid};
    end_thread($thread{$tid}) if $thread{$tid};
    delete $thread{$tid};
  }
}

sub begin_thread {
  my ($tid, $container) = @_;
  my $status = read_file("/proc/$tid/status", 8192) // '';
  my ($pid) = $status =~ /^Tgid:\s*(\d+)$/m or return $missed++;
  # A thread that is not looked at stays known, so that it is counted once.
  if (@threads >= $most_threads) {
    $thread{$tid} = undef;
    return $missed++;
  }
  my $schedstat = open_file("/proc/$tid/task/$tid/schedstat");
  if (!defined $schedstat) {
    $thread{$tid} = undef if $! == EMFILE;
    return $missed++;
  }
  if (!$process{$pid}) {
    my $comm = read_file("/proc/$pid/comm", 64) // '';
    chomp $comm;
    put('proc', $now, $pid, $container, escaped($comm));
    $process{$pid} = { threads => 0 };
  }
  $process{$pid}{threads}++;
  my $new = [$tid, $pid, $schedstat, undef, undef, '', '', undef, '-', undef];
  $thread{$tid} = $new;
  push @threads, $new;
}

sub end_thread {
  my ($ended) = @_;
  return unless defined $ended->[SCHEDSTAT];
  put('gone', $now, $ended->[TID]) if defined $ended->[COMM];
  $missed++ unless defined $ended->[COMM];
  for my $each (SCHEDSTAT, STAT, SYSCALL) {
    close_file($ended->[$each]);
    $ended->[$each] = undef;
  }
  $has_ended = 1;
  delete $thread{$ended->[TID]};
  my $pid = $ended->[PID];
  delete $process{$pid} if --$process{$pid}{threads} <= 0;
}

# When a thread was last seen as it was at its look before.
sub seen {
  my ($it) = @_;
  return '-' unless defined $it->[LOOKED];
  return $it->[LOOKED] > $last_round ? $it->[LOOKED] : $last_round;
}

# One look at a thread whose schedstat has changed. Returns nothing if the thread has ended.
sub look {
  my ($it, $schedstat) = @_;
  my $folder = "/proc/$it->[TID]/task/$it->[TID]";
  $it->[STAT] //= open_file("$folder/stat") // return;
  my $stat = again($it->[STAT]) // return;
  my $end = rindex $stat, ')';
  my $from = index $stat, '(';
  my $comm = substr $stat, $from + 1, $end - $from - 1;
  if (!defined $it->[COMM] || $comm ne $it->[COMM]) {
    $it->[COMM] = $comm;
    put('thread', $now, $it->[TID], $it->[PID], escaped($comm));
  }
  my $state = substr $stat, $end + 2, 1;
  my ($wchan, $number, $object) = ('-', -1, '-');
  if ($state eq 'S' || $state eq 'D') {
    $it->[SYSCALL] //= open_file("$folder/syscall");
    my $call = defined $it->[SYSCALL] ? again($it->[SYSCALL]) // '' : '';
    my @words = split ' ', $call, 7;
    if (@words && $words[0] =~ /^\d+$/) {
      $number = $words[0];
      $object = object_of($it, $call{$number} // '', $number, \@words);
    }
    if ($object eq '-') {
      $wchan = read_file("$folder/wchan", 128) // '-';
      # A compiler may have made a variant of the function.
      $wchan = $wchan =~ /^([A-Za-z_]\w*)(?:\.[\w.]+)?$/ ? $1 : '-';
      $object = object_of_wchan($wchan, $state) if $number == -1 || !$call{$number};
      $object = 'other:fault' if $object eq '-' && $call =~ /^-1 / && $state eq 'D';
    }
  }
  $it->[CPU] = (split ' ', substr($stat, $end + 2, 400), 38)[36] // '-';
  $it->[TEXT] = $schedstat;
  $it->[STATE] = $state;
  chomp(my $numbers = $schedstat);
  put('look', $now, $it->[TID], $numbers, $state, $it->[CPU], $wchan, $number, $object, seen($it));
  $it->[LOOKED] = $now;
  return 1;
}

# ---- What is waited for

my %objects_of_wchan = (
  futex_do_wait => 'futex:-:-', futex_wait_queue => 'futex:-:-', futex_wait_queue_me => 'futex:-:-', hrtimer_nanosleep => 'timer', do_nanosleep => 'timer',
  do_wait => 'child', pipe_read => 'pipe:-', pipe_wait => 'pipe:-', anon_pipe_read => 'pipe:-', inet_csk_accept => 'idle',
  do_sigtimedwait => 'signal', sigsuspend => 'signal', do_signal_stop => 'other:stop', kernel_clone => 'child',
);
sub object_of_wchan { $objects_of_wchan{$_[0]} // '-' }

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

# The device of all sockets, by which they are told from pipes and others.
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

# ---- Sockets: sock_diag(7), by a socket in the network namespace of the target

use constant { AF_NETLINK => 16, SOCK_RAW => 3, NETLINK_SOCK_DIAG => 4, SOCK_DIAG_BY_FAMILY => 20 };
use constant { NLM_F_REQUEST => 1, NLM_F_DUMP => 0x300, NLMSG_ERROR => 2, NLMSG_DONE => 3, INFO => 2, TCP => 6, UDP => 17 };
my $diag;
sub open_diag {
  return if $netns eq '';
  sysopen my $own, '/proc/self/ns/net', O_RDONLY or return;
  return if syscall($SYS_setns, $netns + 0, CLONE_NEWNET) != 0;
  socket($diag, AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG) or undef $diag;
  syscall($SYS_setns, fileno($own), CLONE_NEWNET) == 0 or die "cannot return to the own network namespace: $!\n";
  # A kernel that does not answer must not stop the looks: a second.
  return unless $diag;
  setsockopt $diag, 1, 20, pack 'qq', 1, 0;
  $sockets_device = (stat $diag)[0];
}

my $asked = 0;

# Asks by sock_diag, and returns the bodies of the answers; undef if the kernel refuses.
sub ask {
  my ($flags, $request) = @_;
  $diag or return;
  $asked++;
  my $message = pack('LSSLL', 16 + length $request, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | $flags, $asked, 0) . $request;
  defined syswrite $diag, $message or return;
  my @answers;
  while (1) {
    my $got = sysread $diag, my $content, 65536;
    return unless $got;
    for (my $at = 0; $at + 16 <= $got;) {
      my ($length, $type, undef, $sequence) = unpack 'LSSL', substr $content, $at, 12;
      return if $length < 16;
      # An answer to an earlier question that timed out.
      if ($sequence == $asked) {
        return if $type == NLMSG_ERROR;
        return \@answers if $type == NLMSG_DONE;
        push @answers, substr $content, $at + 16, $length - 16;
        return \@answers if $flags != NLM_F_DUMP;
      }
      $at += $length + 3 & ~3;
    }
  }
}

# By inode: sockets as they were at the last dump, what is known of Unix sockets, and until when nothing is known of others.
my (%inet, %unix, %unknown, %listens);
my $next_dump = 0;
my $sockets = 0;
my %number_of;

sub address_of {
  my ($family, $port, $address) = @_;
  return '[' . inet_ntop(AF_INET6, $address) . "]:$port" if $family == AF_INET6 && $address !~ /^\0{10}\xff\xff/;
  return inet_ntop(AF_INET, $family == AF_INET ? substr $address, 0, 4 : substr $address, 12, 4) . ":$port";
}

# Reads all sockets of the namespace. It takes longer the more there are, so it takes at most a four-hundredth of the time.
sub dump_sockets {
  return if $now < $next_dump;
  my $started = clock(CLOCK_PROCESS_CPUTIME_ID);
  (%inet, %unix, %listens) = ();
  %unknown = () if keys %unknown > 10_000;
  for my $protocol (TCP, UDP) {
    # Neither sockets of connections that are gone (TIME_WAIT), nor those that nobody accepted yet.
    my $states = $protocol == TCP ? 0xfff & ~(1 << 6 | 1 << 3 | 1 << 12) : 0xfff;
    for my $family (AF_INET, AF_INET6) {
      my $answers = ask(NLM_F_DUMP, pack 'CCCCLx48', $family, $protocol, 0, 0, $states) // next;
      for (@$answers) {
        my ($is, $state, $local, $remote) = unpack 'CCx2nn', $_;
        my $inode = unpack 'L', substr $_, 68, 4;
        next if $inode == 0;
        $listens{$local} = 1 if $protocol == TCP && $state == 10;
        $inet{$inode} = { protocol => $protocol, inode => $inode, family => $is, state => $state, ports => [$local, $remote], id => substr($_, 4, 48) };
      }
    }
  }
  my $cost = clock(CLOCK_PROCESS_CPUTIME_ID) - $started;
  tell_time();
  $next_dump = $now + 400 * $cost;
  return 1;
}

# A Unix socket: the name of the server's end. A process that waits for its clients is idle.
sub unix_socket {
  my ($inode) = @_;
  my $name = '';
  for my $end (0, 1) {
    my $answers = ask(0, pack 'CCxxLLLLL', AF_UNIX, 0, 0xffffffff, $inode, 5, 0xffffffff, 0xffffffff) // return $end ? { unix => "unix:$_[0]" } : undef;
    my $answer = $answers->[0] // return;
    my ($own, $peer) = ('', 0);
    for (my $at = 16; $at + 4 <= length $answer;) {
      my ($length, $type) = unpack 'SS', substr $answer, $at, 4;
      last if $length < 4;
      my $value = substr $answer, $at + 4, $length - 4;
      $own = $value if $type == 0;
      $peer = unpack 'L', $value if $type == 2;
      $at += $length + 3 & ~3;
    }
    if ($own ne '') {
      return { unix => 'idle' } if $end == 0;
      $own =~ s/^\0/@/;
      $own =~ s/\0.*//s;
      return { unix => 'unix:' . escaped($own) };
    }
    last unless $peer;
    $inode = $peer;
  }
  return { unix => "unix:$_[0]" };
}

# What is known of a socket; undef if its addresses cannot be found.
sub socket_of {
  my ($inode) = @_;
  my $found = $inet{$inode} || $unix{$inode};
  if (!$found) {
    return if exists $unknown{$inode} && $now < $unknown{$inode};
    my $unix = unix_socket($inode);
    return $unix{$inode} = $unix if $unix;
    my $is_asked = dump_sockets();
    $found = $inet{$inode};
    if (!$found) {
      # A socket that is in no list may be of another network namespace.
      $unknown{$inode} = $is_asked ? $now + 5_000_000 : $next_dump;
      return;
    }
  }
  return $found if $found->{unix};
  if (!$found->{local}) {
    my ($local, $remote) = @{$found->{ports}};
    $found->{proto} = $found->{protocol} == TCP ? 'tcp' : 'udp';
    $found->{local} = address_of($found->{family}, $local, substr $found->{id}, 4, 16);
    $found->{remote} = $remote ? address_of($found->{family}, $remote, substr $found->{id}, 20, 16) : '-';
    $found->{dir} = $found->{protocol} == TCP ? ($listens{$local} ? 'in' : 'out') : '-';
  }
  return $found;
}

sub numbered_socket {
  my ($socket) = @_;
  my $name = "$socket->{proto} $socket->{dir} $socket->{local} $socket->{remote}";
  my $number = $number_of{$name};
  if (!$number) {
    # More connections than that are not told apart.
    return "socket:$socket->{inode}" if $sockets >= 100_000;
    $number = $number_of{$name} = ++$sockets;
    put('sock', $now, $number, $name);
  }
  return "s:$number";
}

# Whether a reply is outstanding. The kernel counts the times in ticks of up to 10 ms, so they may be equal.
sub is_outstanding {
  my ($socket, $is_blocked) = @_;
  # A connection that is being made, too.
  my $answers = ask(0, pack('CCCCL', $socket->{family}, TCP, 1 << INFO - 1, 0, 0xffffffff) . $socket->{id}) // return 0;
  my $answer = $answers->[0];
  return 0 if !defined $answer || length $answer < 72 || unpack('L', substr $answer, 68, 4) != $socket->{inode};
  my $state = unpack 'xC', $answer;
  return 1 if $state == 2;
  return 0 if $state != 1;
  for (my $at = 72; $at + 4 <= length $answer;) {
    my ($length, $type) = unpack 'SS', substr $answer, $at, 4;
    last if $length < 4;
    if ($type == INFO && $length >= 4 + 160) {
      my $info = substr $answer, $at + 4, $length - 4;
      my ($unacked) = unpack 'L', substr $info, 24, 4;
      my ($sent, undef, $received, $acknowledged) = unpack 'L4', substr $info, 44, 16;
      # The pieces with data that came in and went out.
      my ($in, $out) = unpack 'LL', substr $info, 152, 8;
      return 0 if $out == 0;
      return 1 if $in == 0;
      return 1 if $unacked > 0 || $sent < $received;
      return 0 if $sent > $received;
      # The acknowledgement of a request comes within 200 ms; those of keep-alive probes come later.
      return $is_blocked || $acknowledged < $received && $sent - $acknowledged <= 250 ? 1 : 0;
    }
    $at += $length + 3 & ~3;
  }
  return 0;
}

# ---- CPU time and limits of cgroups

# { number, role, path, quota, stat, usage, text, last, held }
my (@cgroups, @limited);

sub open_cgroup {
  my ($role, $relative) = @_;
  my $number = @cgroups + 1;
  my $it = { number => $number, role => $role, path => $relative, quota => '', text => '', last => '', held => '' };
  $it->{stat} = open_file("$limits/$relative/cpu.stat");
  $it->{usage} = open_file("$usages/$relative/cpuacct.usage");
  return unless defined $it->{stat} || defined $it->{usage};
  push @cgroups, $it;
  read_limit($it);
  read_cgroup($it, 1);
}

sub read_limit {
  my ($it) = @_;
  my $folder = "$limits/$it->{path}";
  my $line = read_file("$folder/cpu.max", 100);
  if (!defined $line) {
    my $quota = read_file("$folder/cpu.cfs_quota_us", 100) // '-1';
    my $period = read_file("$folder/cpu.cfs_period_us", 100) // '100000';
    $line = "$quota $period";
  }
  my ($quota, $period) = split ' ', $line;
  $quota = -1 if !defined $quota || $quota !~ /^\d+$/;
  $period = 100_000 if !defined $period || $period !~ /^\d+$/;
  return if $it->{quota} eq "$quota $period";
  $it->{quota} = "$quota $period";
  @limited = grep { $_->{quota} !~ /^-/ } @cgroups;
  put('cgroup', $it->{number}, $it->{role}, $quota, $period, escaped($it->{path}));
}

# Reads the counters, and writes them if they were throttled since, or each second.
sub read_cgroup {
  my ($it, $is_due) = @_;
  my $stat = defined $it->{stat} ? again($it->{stat}) // '' : '';
  if ($stat eq $it->{text} && !$is_due) {
    $it->{is_throttled} = '';
    return;
  }
  $it->{text} = $stat;
  my ($periods) = $stat =~ /^nr_periods (\d+)/m;
  my ($held) = $stat =~ /^nr_throttled (\d+)/m;
  my $throttled = $stat =~ /^throttled_usec (\d+)/m ? $1 : $stat =~ /^throttled_time (\d+)/m ? int($1 / 1000) : '-';
  my $sum = ($held // 0) . " $throttled";
  $it->{is_throttled} = $sum ne $it->{held};
  return unless $is_due || $it->{is_throttled};
  my $usage = defined $it->{usage} ? again($it->{usage}) : undef;
  $usage = defined $usage ? int($usage / 1000) : $stat =~ /^usage_usec (\d+)/m ? $1 : '-';
  my $line = join ' ', $usage, $throttled, $periods // '-', $held // '-';
  $it->{held} = $sum;
  return if $line eq $it->{last} && $is_due < 2;
  $it->{last} = $line;
  put('cpu', $now, $it->{number}, $line);
}

sub open_cgroups {
  open_cgroup('scope', $path);
  if ($is_pod) {
    for my $each (find_folders()) {
      open_cgroup('below', $path . substr $each->[0], length $scope) if $each->[0] ne $scope && $each->[0] =~ /[0-9a-f]{64}(?:\.scope)?$/;
    }
  }
  for (my $above = $path; $above =~ s{/[^/]+$}{};) { open_cgroup('ancestor', $above) }
}

# ---- Who ran instead

# Threads of any process that use much CPU time: { schedstat, run, pid, tid }; and the ticks of each process at the last scan.
my (@busy, %ticks_of);
my $next_scan = 0;
my $queued_ns = 0;

sub forget_busy {
  close_file($_->{schedstat}) for @_;
}

# Finds the processes that used a CPU since the last scan, and their threads. It takes some milliseconds, so it is done only while
# threads of the target stand in a queue, and takes at most a thousandth of the time.
sub scan {
  my $started = clock(CLOCK_PROCESS_CPUTIME_ID);
  opendir my $proc, '/proc' or return;
  my (%now_ticks, @used);
  for my $pid (grep { /^\d+$/ } readdir $proc) {
    my $stat = read_file("/proc/$pid/stat", 1024) // next;
    my @fields = split ' ', substr($stat, rindex($stat, ')') + 2, 200), 15;
    my $sum = $fields[11] + $fields[12];
    $now_ticks{$pid} = $sum;
    push @used, [$pid, $sum - $ticks_of{$pid}] if exists $ticks_of{$pid} && $sum - $ticks_of{$pid} >= 2;
    last if keys %now_ticks >= 5000;
  }
  my $is_first = !%ticks_of;
  %ticks_of = %now_ticks;
  if (!$is_first) {
    forget_busy(splice @busy);
    for (sort { $b->[1] <=> $a->[1] } @used) {
      my $pid = $_->[0];
      opendir my $tasks, "/proc/$pid/task" or next;
      for my $tid (grep { /^\d+$/ } readdir $tasks) {
        last if @busy >= 100;
        my $schedstat = open_file("/proc/$tid/task/$tid/schedstat") // next;
        push @busy, { schedstat => $schedstat, run => (split ' ', again($schedstat) // '0')[0], sum => 0, pid => $pid, tid => $tid };
      }
    }
  }
  my $cost = 1000 * (clock(CLOCK_PROCESS_CPUTIME_ID) - $started);
  $next_scan = $now + ($is_first ? 300_000 : $cost > 4_000_000 ? $cost : 4_000_000);
}

# Reads how long each of the busy threads ran since the last time.
sub read_busy {
  for my $each (@busy) {
    my $line = again($each->{schedstat});
    my $run = defined $line ? substr $line, 0, index $line, ' ' : $each->{run};
    $each->{ran} = $run - $each->{run};
    $each->{sum} += $each->{ran};
    $each->{run} = $run;
  }
}

# Only those that ran for more than a hundredth of the second stay.
sub keep_busiest {
  read_busy();
  my @sorted = sort { $b->{sum} <=> $a->{sum} } @busy;
  @busy = grep { $_->{sum} >= 10_000_000 } splice @sorted, 0, 16;
  my %is_kept = map { $_->{tid} => 1 } @busy;
  forget_busy(grep { !$is_kept{$_->{tid}} } @sorted);
  $_->{sum} = 0 for @busy;
}

# Says who used most of a CPU since the last time, in which a thread of the target stood in its queue for so long.
sub say_who_ran {
  my ($waited) = @_;
  my %most;
  read_busy();
  for my $each (sort { $b->{ran} <=> $a->{ran} } @busy) {
    last if $each->{ran} < 200_000 || keys %most == keys %$waited;
    my $stat = read_file("/proc/$each->{tid}/task/$each->{tid}/stat", 1024) // next;
    my $on = (split ' ', substr($stat, rindex($stat, ')') + 2), 38)[36] // next;
    $most{$on} = [$each, $stat] if exists $waited->{$on} && !$most{$on};
  }
  for my $on (sort { $waited->{$b} <=> $waited->{$a} } keys %most) {
    my ($each, $stat) = @{$most{$on}};
    if (!defined $each->{container}) {
      my $line = read_file("/proc/$each->{pid}/cgroup", 4096) // '';
      $each->{container} = $line =~ m{[/-]([0-9a-f]{64})(?:\.scope)?$}m ? $1 : '-';
    }
    # What runs in other pods is no business of this one: the name of the pod is asked from the API, where rights are checked.
    my $is_own = $each->{container} eq '-' || $is_container{$each->{container}} || $process{$each->{pid}};
    my $comm = $is_own ? escaped(substr $stat, index($stat, '(') + 1, rindex($stat, ')') - index($stat, '(') - 1) : '-';
    put('ran', $now, $on, $each->{pid}, $each->{container}, $comm, $waited->{$on});
  }
}

# ---- The loop

# The looks may take a bit less than a hundredth of a CPU. What was not used is saved up, for a round over many threads.
use constant { SHARE => 0.008, MOST_SAVED => 15_000 };
my $stop = '';
$SIG{TERM} = $SIG{INT} = sub { $stop = 1 };
$SIG{PIPE} = 'IGNORE';

put('waits', 1, $arch);
my @cpus = (read_file('/proc/stat', 1 << 20) // '') =~ /^cpu\d/mg;
put('start', clock(CLOCK_REALTIME), $rate, scalar @cpus, $ticks);
open_diag();
open_cgroups();

# If the CPU time of the target is as before, none of its threads has run. Reading cpuacct.usage is cheap. With cgroup v2 the kernel
# has to add up the times of the CPUs first, which takes longer the more there are: so that is measured.
sub cheap_usage {
  my ($it) = @_;
  return $it->{usage} if !$it || defined $it->{usage};
  my $stat = open_file("$scope/cpu.stat") // return;
  my $started = clock(CLOCK_PROCESS_CPUTIME_ID);
  for (1 .. 20) {
    return if (again($stat) // '') !~ /^usage_usec /;
  }
  return clock(CLOCK_PROCESS_CPUTIME_ID) - $started < 20 * 20 ? $stat : undef;
}
my $usage = cheap_usage($cgroups[0]);
my $usage_before = '';

my $pressure = open_file("$scope/cpu.pressure") // open_file('/proc/pressure/cpu');
my $node = open_file('/proc/stat');
my $load = open_file('/proc/loadavg');
my $parent = getppid;
my $second_number = 0;

# What is written every second; at the end of the recording also what has not changed.
sub each_second {
  my ($is_end) = @_;
  $second_number++;
  for my $it (@cgroups) {
    read_limit($it) if $is_end || $second_number % 5 == 0;
    read_cgroup($it, $is_end ? 2 : 1);
  }
  if (defined $pressure && (again($pressure) // '') =~ /^some .* total=(\d+)/m) { put('psi', $now, $1) }
  if (defined $node && (again($node) // '') =~ /^cpu +(?:\d+ ){7}(\d+)/m) { put('steal', $now, $1) }
  $cpu = clock(CLOCK_PROCESS_CPUTIME_ID);
  put('own', $now, $cpu);
  flush();
}

my $last_pid = '';
my ($next_list, $rounds, $at, $shown_rate, $shown_missed) = (0, 0, 0, $rate, 0);
my %waited;
my ($next_ran, $next_limits, $is_held) = (0, 0, '');

# Whether a process was created anywhere on the node since: the last field is the number that was given last.
sub new_processes {
  my $last = again($load // return 1) // return 1;
  $last = substr $last, rindex $last, ' ';
  my $is_new = $last ne $last_pid;
  $last_pid = $last;
  return $is_new;
}

# Begins a round over all threads. Returns nothing if no thread has run since the last round.
sub begin_round {
  ($last_round, $this_round) = ($this_round, $now);
  @threads = grep { defined $_->[SCHEDSTAT] } @threads if $has_ended;
  $has_ended = '';
  if ($now >= $next_list && (new_processes() || $now >= $next_list + 1_000_000)) {
    my $started = clock(CLOCK_PROCESS_CPUTIME_ID);
    list_threads();
    my $cost = clock(CLOCK_PROCESS_CPUTIME_ID) - $started;
    $next_list = $now + ($cost * 500 > 200_000 ? $cost * 500 : 200_000);
  }
  return 1 unless defined $usage;
  my $sum = again($usage) // '';
  return if $sum eq $usage_before;
  $usage_before = $sum;
  return 1;
}

# Looks at threads, until so much CPU time was used: it goes on with the others at the next tick.
sub tick {
  my ($until_cpu) = @_;
  # A limit counts in periods of 100 ms.
  if (@limited && $now >= $next_limits) {
    $next_limits = $now + 100_000;
    $is_held = '';
    for my $it (@limited) {
      read_cgroup($it, 0);
      $is_held ||= $it->{is_throttled};
    }
  }
  if ($at == 0 && !begin_round()) {
    $rounds++;
    return;
  }
  my $end = @threads;
  while ($at < $end) {
    my $it = $threads[$at++];
    next unless defined $it->[SCHEDSTAT];
    my $got = syscall $SYS_pread, $it->[SCHEDSTAT], $buffer, 128, 0;
    if ($got <= 0) {
      end_thread($it);
      next;
    }
    if (substr($buffer, 0, $got) ne $it->[TEXT]) {
      my $content = substr $buffer, 0, $got;
      my $delayed = $it->[TEXT] eq '' ? 0 : (split ' ', $content)[1] - (split ' ', $it->[TEXT])[1];
      if (!look($it, $content)) {
        end_thread($it);
        next;
      }
      if ($delayed >= 500_000) {
        $queued_ns += $delayed;
        $waited{$it->[CPU]} = ($waited{$it->[CPU]} // 0) + $delayed unless $is_held;
      }
    }
    last if ($at & 15) == 0 && clock(CLOCK_PROCESS_CPUTIME_ID) >= $until_cpu;
  }
  if ($at >= $end) {
    $at = 0;
    $rounds++;
  }
  if (%waited && $now >= $next_ran) {
    say_who_ran(\%waited) if @busy;
    %waited = ();
    $next_ran = $now + 200_000;
  }
}

sub all_looks {
  for my $it (@threads) {
    next unless defined $it->[SCHEDSTAT];
    my $content = again($it->[SCHEDSTAT]);
    end_thread($it) unless defined $content && look($it, $content);
  }
}

tell_time();
$now = 0 if $now < 0;
list_threads();
all_looks();
each_second();
my $saved = MOST_SAVED / 3;
my $spent = $cpu;
my $before = $now;
my $second = $now;
my $next = $now;
until ($stop) {
  $next = $now + 1_000_000 / $rate * (0.5 + rand);
  my $enough = $now + (500 - $saved) / SHARE;
  $next = $enough if $saved < 500 && $enough > $next;
  select undef, undef, undef, ($next - $now) / 1_000_000;
  last if $stop;
  tell_time();
  $saved += ($now - $before) * SHARE;
  $saved = MOST_SAVED if $saved > MOST_SAVED;
  $before = $now;
  tick($spent + ($saved > 200 ? $saved : 200));
  if ($now - $second >= 1_000_000) {
    if ($queued_ns / 1000 > ($now - $second) / 100) {
      keep_busiest() if @busy;
      scan() if $now >= $next_scan;
    } else {
      forget_busy(splice @busy);
    }
    $queued_ns = 0;
    my $hertz = sprintf '%.1f', $rounds * 1_000_000 / ($now - $second);
    if (abs($hertz - $shown_rate) > $shown_rate / 5) {
      put('rate', $now, $hertz);
      $shown_rate = $hertz > 0 ? $hertz : 0.1;
    }
    if ($missed != $shown_missed) { put('missed', $now, $shown_missed = $missed) }
    ($second, $rounds) = ($now, 0);
    each_second();
    exit 1 if getppid != $parent;
  }
  my $used = clock(CLOCK_PROCESS_CPUTIME_ID);
  $saved -= $used - $spent;
  $spent = $used;
  flush() if length $text > 60_000;
}
tell_time();
list_threads();
$last_round = $this_round;
all_looks();
each_second(1);
put('missed', $now, $missed) if $missed != $shown_missed;
my $reason = read_file($reason_file, 100) // '';
put('end', $now, $reason =~ /^([a-z-]+)$/m ? $1 : 'terminated');
flush();
