#!/bin/sh
# Perl: hashes, strings, sorting, regular expressions, a fork with a pipe, and interpreter threads where perl has them.
# shellcheck source=tests/programs/lib.sh
. "$(dirname "$0")/lib.sh"
need perl perl

cat >work.pl <<'PERL'
use strict;
use warnings;
my %count;
my $seed = 12345;
sub rnd { $seed = ($seed * 1103515245 + 12345) & 0x7fffffff; return $seed }
for my $i (1 .. 120_000) {
    my $key = sprintf "key%05d", rnd() % 30_000;
    $count{$key}++;
    delete $count{ sprintf "key%05d", rnd() % 30_000 } if $i % 3 == 0;
}
printf "%d keys, most frequent %s\n", scalar keys %count,
    (sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count)[0];

my $text = join ' ', map { "w$_" x (rnd() % 5) } 1 .. 40_000;
my $words = 0;
$words++ while $text =~ /(w\d+)(?:\1)*/g;
$text =~ s/w(\d)(\d*)/"$2$1" . ('-' x (($1 + 1) * 3))/ge;
printf "%d words, %d characters, checksum %d\n", $words, length $text, unpack '%32C*', $text;

my @tree = ([]);
for my $n (1 .. 30_000) { push @{ $tree[ rnd() % @tree ] }, $n; push @tree, [] if $n % 10 == 0 }
printf "%d lists, %d items\n", scalar @tree, eval { my $s = 0; $s += @$_ for @tree; $s };
@tree = ();

for my $child (1 .. 4) {
    my $pid = open my $pipe, '-|';
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        my @list = map { "child $child line $_ " . ('x' x ($_ % 700)) } 1 .. 2_000;
        print sort { length $a <=> length $b || $a cmp $b } map { "$_\n" } @list;
        exit 0;
    }
    my $sum = 0;
    my $lines = 0;
    while (<$pipe>) { $lines++; $sum = ($sum * 31 + unpack '%32C*', $_) & 0xffffffff }
    close $pipe or die "child $child: status $?";
    print "child $child: $lines lines, $sum\n";
}

use Config;
if ($Config{useithreads}) {
    require threads;
    my @threads = map {
        my $n = $_;
        threads->create(sub {
            my %h;
            $h{"$n-$_"} = 'v' x ($_ % 300) for 1 .. 10_000;
            my $total = 0;
            $total += length $h{$_} for sort keys %h;
            return $total;
        })
    } 1 .. 3;
    print 'thread: ', $_->join, "\n" for @threads;
}
PERL

export PERL_HASH_SEED=0
on_system expected perl work.pl
check_at_exit
on_freehold got perl work.pl
same expected got "the output of perl"
ran_on got.err perl
binds perl -e 'print "x" x 100'
