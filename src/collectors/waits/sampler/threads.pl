# ---- Processes and threads

# A thread: its number and that of its process, its open files, the text of schedstat at its last look, and what was seen then; then
# its class now, its class while it does nothing, and when it was last read and found as it was.
use constant { TID => 0, PID => 1, SCHEDSTAT => 2, STAT => 3, SYSCALL => 4, TEXT => 5, DELAY => 6, COMM => 7, CPU => 8, LOOKED => 9 };
use constant { CLASS => 10, TURN => 11, CHECKED => 12 };
my (@threads, %thread, %process);
# To read one file of a thread takes two microseconds, because after 20 ms nothing of it is in the caches of the CPU. So a thread that
# did nothing for some seconds is looked at in each fifth round only. There is one class for each fifth, and one for the active threads.
use constant { ACTIVE => 5, STILL => 3_000_000 };
my @classes = map { [] } 0 .. ACTIVE;
# When the last round over a class began, and when a class was last left out because none of its threads had run.
my @seen_last = (0) x (ACTIVE + 1);
my @left_out = @seen_last;
# When the threads were ordered into classes.
my $ordered = 0;
my ($watched, $begun, $missed) = (0, 0, 0);

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
  if ($watched >= $most_threads) {
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
  my $new = [$tid, $pid, $schedstat, undef, undef, '', undef, undef, '-', undef, ACTIVE, $begun++ % ACTIVE, 0];
  $watched++;
  $thread{$tid} = $new;
  push @threads, $new;
  push @{$classes[ACTIVE]}, $new;
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
  $watched--;
  delete $thread{$ended->[TID]};
  my $pid = $ended->[PID];
  delete $process{$pid} if --$process{$pid}{threads} <= 0;
}

# When a thread was last seen as it was at its look before.
sub seen {
  my ($it) = @_;
  return '-' unless defined $it->[LOOKED];
  my $seen = $it->[LOOKED] > $it->[CHECKED] ? $it->[LOOKED] : $it->[CHECKED];
  return $left_out[$it->[CLASS]] > $seen ? $left_out[$it->[CLASS]] : $seen;
}

# One look at a thread whose schedstat has changed. If it stood in a queue, also the CPU is read. Returns nothing if the thread has ended.
sub look {
  my ($it, $schedstat, $is_queued) = @_;
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
    # A number and its arguments; `running`, or -1 outside of a system call.
    ($number, $object) = of_call($it, $call) if $call =~ /^\d/;
    if ($object eq '-') {
      $wchan = read_file("$folder/wchan", 128) // '-';
      # A compiler may have made a variant of the function.
      $wchan = $wchan =~ /^([A-Za-z_]\w*)(?:\.[\w.]+)?$/ ? $1 : '-';
      $object = object_of_wchan($wchan, $state) if $number == -1 || !$call{$number};
      $object = 'other:fault' if $object eq '-' && $call =~ /^-1 / && $state eq 'D';
    }
  }
  # To divide the line into its fields takes a third of the time of a look.
  $it->[CPU] = $is_queued ? (split ' ', substr($stat, $end + 2, 400), 38)[36] // '-' : '-';
  $it->[TEXT] = $schedstat;
  chomp(my $numbers = $schedstat);
  put('look', $now, $it->[TID], $numbers, $state, $it->[CPU], $wchan, $number, $object, seen($it));
  $it->[LOOKED] = $now;
  return 1;
}

