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
