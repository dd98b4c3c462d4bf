# ---- The loop

# The looks may take a bit less than a hundredth of a CPU. What was not used is saved up, for a round over many threads. A round that
# takes longer than TICK microseconds is divided into ticks. Longer ticks find more of the kernel in the caches of the CPU, and fewer of
# them are at fewer moments.
use constant { SHARE => 0.008, MOST_SAVED => 15_000, TICK => 1500, MEAN_OF => 16 };
my $stop = '';
$SIG{TERM} = $SIG{INT} = sub { $stop = 1 };
$SIG{PIPE} = 'IGNORE';

put('waits', 1, $arch);
my @cpus = (read_file('/proc/stat', 1 << 20) // '') =~ /^cpu\d/mg;
put('start', clock(CLOCK_REALTIME), $rate, scalar @cpus, $ticks);
open_diag();
open_cgroups();
open_usage($cgroups[0]);

my $pressure = open_file("$scope/cpu.pressure") // open_file('/proc/pressure/cpu');
my $node = open_file('/proc/stat');
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

my @round;
my ($rounds, $at, $shown_rate, $shown_missed) = (0, 0, $rate, 0);
my %waited;
my ($next_ran, $next_limits, $is_held) = (0, 0, '');
# How many threads each tick of this round looks at, and what a tick cost: the mean of the last ticks. It decides when the next looks are, and
# not what the last ones cost: a look that finds that a thread did something is expensive, and if it put off the next look, there
# would be fewer looks when threads do much.
my ($portion, $measured, $mean_cost) = (1, 0, 0);
# What a tick cost that looked at threads, and how many these were: sums in which the last ticks count most. While all threads sleep, most
# ticks look at none, and say nothing about the price of a look.
my ($look_cost, $look_count) = (0, 0);

# A thread whose schedstat has changed.
sub change {
  my ($it, $content) = @_;
  my $delay = (split ' ', $content, 3)[1];
  my $delayed = $delay - ($it->[DELAY] // $delay);
  $it->[DELAY] = $delay;
  my $is_queued = $delayed >= 500_000;
  return end_thread($it) if !look($it, $content, $is_queued);
  return if !$is_queued;
  $queued_ns += $delayed;
  $waited{$it->[CPU]} = ($waited{$it->[CPU]} // 0) + $delayed unless $is_held;
}

# Looks at a portion of the threads: it goes on with the others at the next tick. It ends early if so much CPU time was used, which
# happens only when threads that slept all begin to do something. Returns how many it looked at.
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
  if ($at == 0) {
    @round = begin_round();
    my ($parts, $most) = (1 + int($look_count > 0 ? @round * $look_cost / $look_count / TICK : 0), 1 + int @round / 16);
    $parts = $most if $parts > $most;
    $portion = int((@round + $parts - 1) / $parts);
  }
  my $from = $at;
  my $end = $at + $portion < @round ? $at + $portion : @round;
  while ($at < $end) {
    my $it = $round[$at++];
    next unless defined $it->[SCHEDSTAT];
    my $got = syscall $SYS_pread, $it->[SCHEDSTAT], $buffer, 128, 0;
    if ($got <= 0) {
      end_thread($it);
      next;
    }
    if (substr($buffer, 0, $got) ne $it->[TEXT]) { change($it, substr $buffer, 0, $got) }
    else { $it->[CHECKED] = $now }
    last if ($at & 15) == 0 && clock(CLOCK_PROCESS_CPUTIME_ID) >= $until_cpu;
  }
  my $looks = $at - $from;
  if ($at >= @round) {
    $at = 0;
    $rounds++;
  }
  if (%waited && $now >= $next_ran) {
    say_who_ran(\%waited) if @busy;
    %waited = ();
    $next_ran = $now + 200_000;
  }
  return $looks;
}

sub all_looks {
  for my $it (@threads) {
    next unless defined $it->[SCHEDSTAT];
    my $content = again($it->[SCHEDSTAT]);
    if (defined $content) { change($it, $content) }
    else { end_thread($it) }
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
until ($stop) {
  my $pause = ($mean_cost - $saved / MEAN_OF) / SHARE;
  $pause = 1_000_000 / $rate if $pause < 1_000_000 / $rate;
  select undef, undef, undef, $pause * (0.5 + rand) / 1_000_000;
  last if $stop;
  tell_time();
  $saved += ($now - $before) * SHARE;
  $saved = MOST_SAVED if $saved > MOST_SAVED;
  $before = $now;
  my $looks = tick($spent + ($saved > 3 * TICK ? $saved : 3 * TICK));
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
  my $cost = $used - $spent;
  $saved -= $cost;
  $spent = $used;
  $measured++ if $measured < MEAN_OF;
  $mean_cost += ($cost - $mean_cost) / $measured;
  if ($looks) {
    $look_cost += $cost - $look_cost / MEAN_OF;
    $look_count += $looks - $look_count / MEAN_OF;
  }
  flush() if length $text > 60_000;
}
tell_time();
list_threads();
all_looks();
each_second(1);
put('missed', $now, $missed) if $missed != $shown_missed;
my $reason = read_file($reason_file, 100) // '';
put('end', $now, $reason =~ /^([a-z-]+)$/m ? $1 : 'terminated');
flush();
