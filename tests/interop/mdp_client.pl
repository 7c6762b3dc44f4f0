# A Majordomo client, written from 7/MDP (version 0.1) alone: sends requests and writes the replies.
#
# mdp_client.pl [OPTION…] SERVICE [FRAME…]: the frames are the body, without any it is stdin. The
# frames of replies are written as they are, or with --show as a line for each. Exit code 1: no
# answer in time.
use strict;
use warnings;
use Getopt::Long;
use ZMQ::FFI qw(ZMQ_REQ ZMQ_RCVTIMEO);

my %wanted = (
    broker   => $ENV{BUSBAR_BROKER} || 'tcp://127.0.0.1:7766',
    requests => 1,      # how many, one after the other
    timeout  => 2.5,    # of a reply, in seconds
    tries    => 3,      # how often a request is sent
    show     => 0,
);
GetOptions(\%wanted, 'broker=s', 'requests=i', 'timeout=f', 'tries=i', 'show') && @ARGV > 0
    or die "usage: mdp_client.pl [OPTION…] SERVICE [FRAME…]\n";
my ($service, @body) = @ARGV;
binmode STDIN;
binmode STDOUT;
@body = (do { local $/; <STDIN> } // '') if !@body;

my $context = ZMQ::FFI->new();

# The REQ socket makes the empty frame that every message begins with, and takes it off.
sub connected {
    my $socket = $context->socket(ZMQ_REQ);
    $socket->set(ZMQ_RCVTIMEO, 'int', int($wanted{timeout} * 1000));
    $socket->set_linger(0);
    $socket->connect($wanted{broker});
    return $socket;
}

# The body of the reply, as a list. A request without an answer is sent again, on a new socket.
sub ask {
    for (1 .. $wanted{tries}) {
        my $socket = connected();
        $socket->send_multipart(['MDPC01', $service, @body]);
        $socket->die_on_error(0);
        my ($header, $from, @reply) = $socket->recv_multipart();
        my $answered = !$socket->has_error;
        $socket->close();
        next if !$answered;
        die "not understood\n" if $header ne 'MDPC01' || !defined $from || $from ne $service;
        return @reply;
    }
    die "no answer\n";
}

for (1 .. $wanted{requests}) {
    my @reply = eval { ask() };
    if ($@) {
        print STDERR $@;
        exit 1;
    }
    print $wanted{show} ? join(' ', 'REPLY', @reply) . "\n" : join('', @reply);
}
