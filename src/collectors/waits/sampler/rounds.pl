# ---- Which threads a round looks at

# Orders the threads into classes, once a second and at the beginning of a round. Active are those that did something in the last STILL
# microseconds: if that was one second, waits that last one or two would end just when they are looked at less often, and would get
# the wrong length.
# It is decided only once a second, and not when a look sees something: otherwise the time after such a look would be looked at
# more often than the time before it, and a short wait of a thread that is mostly idle would get too small a share.
sub order_threads {
  @threads = grep { defined $_->[SCHEDSTAT] } @threads;
  my @ordered = map { [] } 0 .. ACTIVE;
  my @last = @seen_last;
  for my $it (@threads) {
    $it->[CHECKED] = $left_out[$it->[CLASS]] if $left_out[$it->[CLASS]] > $it->[CHECKED];
    my $class = ($it->[LOOKED] // $now) >= $ordered - STILL ? ACTIVE : $it->[TURN];
    # Of its threads, the one that was not looked at for the longest time tells when the class was looked at.
    $last[$class] = $seen_last[$it->[CLASS]] if $seen_last[$it->[CLASS]] < $last[$class];
    $it->[CLASS] = $class;
    push @{$ordered[$class]}, $it;
  }
  @classes = @ordered;
  @seen_last = @last;
  @left_out = (0) x @last;
  $ordered = $now;
}

# Whether a process was created anywhere on the node since: the last field is the number that was given last.
my $load = open_file('/proc/loadavg');
my $last_pid = '';
sub new_processes {
  my $last = again($load // return 1) // return 1;
  $last = substr $last, rindex $last, ' ';
  my $is_new = $last ne $last_pid;
  $last_pid = $last;
  return $is_new;
}

# If the CPU time of the target is as before, none of its threads has run. Reading cpuacct.usage is cheap. With cgroup v2 the kernel
# has to add up the times of the CPUs first, which takes longer the more there are: so that is measured.
my ($usage, $usage_before, $ran) = (undef, '', 0);
sub open_usage {
  my ($it) = @_;
  $usage = $it->{usage} if $it;
  return if !$it || defined $usage;
  my $stat = open_file("$scope/cpu.stat") // return;
  my $started = clock(CLOCK_PROCESS_CPUTIME_ID);
  for (1 .. 20) {
    return if (again($stat) // '') !~ /^usage_usec /;
  }
  $usage = $stat if clock(CLOCK_PROCESS_CPUTIME_ID) - $started < 20 * 20;
}

sub has_run {
  my $sum = again($usage // return 1) // '';
  return if $sum eq $usage_before;
  $usage_before = $sum;
  return 1;
}

my ($next_list, $turn) = (0, 0);

# Begins a round, and returns the threads to look at: the active ones, and one class of the others.
sub begin_round {
  order_threads() if $now >= $ordered + 1_000_000;
  if ($now >= $next_list && (new_processes() || $now >= $next_list + 1_000_000)) {
    my $started = clock(CLOCK_PROCESS_CPUTIME_ID);
    list_threads();
    my $cost = clock(CLOCK_PROCESS_CPUTIME_ID) - $started;
    $next_list = $now + ($cost * 500 > 200_000 ? $cost * 500 : 200_000);
  }
  $turn = ($turn + 1) % ACTIVE;
  my @due = ($turn, ACTIVE);
  if (has_run()) {
    $ran = $now;
  } else {
    # A class that was looked at since something ran needs no look. Another one may have run before it was skipped.
    for (0 .. ACTIVE) { $seen_last[$_] = $left_out[$_] = $now if $seen_last[$_] >= $ran }
    @due = grep { $seen_last[$_] != $now } @due;
  }
  for (@due) { $seen_last[$_] = $now }
  return map { @{$classes[$_]} } @due;
}
