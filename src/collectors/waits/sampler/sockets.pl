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

# Where an answer has its tcp_info, which is the same place in nearly all of them; undef if the last answer had no tcp_info.
my $info_at = 72;

sub place_of_info {
  my ($answer) = @_;
  for (my $at = 72; $at + 4 <= length $answer;) {
    my ($length, $type) = unpack 'SS', substr $answer, $at, 4;
    return $at if $type == INFO && $length >= 4 + 160;
    last if $length < 4;
    $at += $length + 3 & ~3;
  }
  return;
}

# Whether a reply is outstanding. The kernel counts the times in ticks of up to 10 ms, so they may be equal.
sub is_outstanding {
  my ($socket, $is_blocked) = @_;
  $socket->{question} //= pack('CCCCL', $socket->{family}, TCP, 1 << INFO - 1, 0, 0xffffffff) . $socket->{id};
  my $answers = ask(0, $socket->{question}) // return 0;
  my $answer = $answers->[0];
  return 0 if !defined $answer || length $answer < 72;
  my ($state, $inode) = unpack 'xCx66L', $answer;
  return 0 if $inode != $socket->{inode};
  # A connection that is being made, too.
  return 1 if $state == 2;
  return 0 if $state != 1;
  $info_at = place_of_info($answer) // return 0 if length $answer < $info_at + 164 || unpack("x${info_at}xxS", $answer) != INFO;
  # The last two are the pieces with data that came in and went out.
  my ($unacked, $sent, $received, $acknowledged, $in, $out) = unpack "x${info_at}x28Lx16Lx4LLx92LL", $answer;
  return 0 if $out == 0;
  return 1 if $in == 0;
  return 1 if $unacked > 0 || $sent < $received;
  return 0 if $sent > $received;
  # The acknowledgement of a request comes within 200 ms; those of keep-alive probes come later.
  return $is_blocked || $acknowledged < $received && $sent - $acknowledged <= 250 ? 1 : 0;
}

