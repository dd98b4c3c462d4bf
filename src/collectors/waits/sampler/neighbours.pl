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

