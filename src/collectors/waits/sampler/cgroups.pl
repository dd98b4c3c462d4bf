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

