# A Majordomo worker, written from 7/MDP (version 0.1) alone: serves a service until SIGTERM; what
# happens to it is told on stdout.
#
# mdp_worker.pl [OPTION…] SERVICE WORK, where WORK is echo, upper, sleep (so many seconds) or words
# (each a frame).
use strict;
use warnings;
use Getopt::Long;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC sleep);
use ZMQ::FFI qw(ZMQ_DEALER ZMQ_RCVTIMEO);

use constant {
    HEADER     => 'MDPW01',
    READY      => "\x01",
    REQUEST    => "\x02",
    REPLY      => "\x03",
    HEARTBEAT  => "\x04",
    DISCONNECT => "\x05",
    TURN_S     => 0.1,        # how long a socket is waited for
};

my %works = (
    echo  => sub { @_ },
    upper => sub { map { uc } @_ },
    sleep => sub { sleep $_[0]; 'slept' },
    words => sub { map { split } @_ },
);

my %wanted = (
    broker    => $ENV{BUSBAR_BROKER} || 'tcp://127.0.0.1:7766',
    heartbeat => 2.5,    # the interval in seconds
    liveness  => 3,      # silent intervals to bear
    reconnect => 2.5,    # seconds after a silence
);
GetOptions(\%wanted, 'broker=s', 'heartbeat=f', 'liveness=i', 'reconnect=f') &&
    @ARGV == 2 && $works{$ARGV[1]}
    or die "usage: mdp_worker.pl [OPTION…] SERVICE echo|upper|sleep|words\n";
my ($service, $work) = @ARGV;

my $stopping = 0;
$SIG{TERM} = sub { $stopping = 1 };
$| = 1;

my $context = ZMQ::FFI->new();
my $socket;
my ($heartbeat_due, $broker_due);

sub now {
    return clock_gettime(CLOCK_MONOTONIC);
}

sub report {
    print "$_[0]\n";
}

# A DEALER sends the empty frame, which every message begins with, itself.
sub say_to_broker {
    $socket->send_multipart(['', HEADER, @_]);
    $heartbeat_due = now() + $wanted{heartbeat};
}

# Whatever the broker says is a sign of life.
sub heard {
    $broker_due = now() + $wanted{heartbeat} * $wanted{liveness};
}

# A new socket and READY: that is how a worker begins, and begins again.
sub begin {
    $socket->close() if $socket;
    $socket = $context->socket(ZMQ_DEALER);
    $socket->set(ZMQ_RCVTIMEO, 'int', int(TURN_S * 1000));
    $socket->connect($wanted{broker});
    say_to_broker(READY, $service);
    heard();
    report('ready');
}

sub on_message {
    my ($empty, $header, $command, @rest) = @_;
    if ($empty ne '' || ($header // '') ne HEADER || !defined $command) {
        return report('not understood');
    }
    if ($command eq DISCONNECT) {
        report('disconnected');
        return begin();
    }
    if ($command eq REQUEST) {
        report('request');
        my ($client, undef, @body) = @rest;
        say_to_broker(REPLY, $client, '', $works{$work}->(@body));
    }
    heard();    # after the work, during which nothing was read
}

# No message within the time, or a signal, is an error of the socket; it has none else to tell.
sub received {
    $socket->die_on_error(0);
    my @frames = $socket->recv_multipart();
    my $failed = $socket->has_error;
    $socket->die_on_error(1);
    return $failed ? () : @frames;
}

begin();
while (!$stopping) {
    my @frames = received();
    on_message(@frames) if @frames;
    if (now() >= $broker_due) {
        report('silence');
        sleep $wanted{reconnect};
        begin();
    }
    say_to_broker(HEARTBEAT) if now() >= $heartbeat_due;
}
say_to_broker(DISCONNECT);
$socket->set_linger(1000);    # ms for it to leave
$socket->close();
