# hashes.pl - a benchmark program: hashes of hashes, strings split and joined, a sort.
use strict;
use warnings;

my (%count, %by_tail);
for my $i (1 .. 500000) {
    my $word = sprintf "%x", $i * 2654435761 % 4294967296;
    $count{substr $word, 0, 4}++;
    push @{$by_tail{substr $word, -3}}, $word if $i % 3 == 0;
}
my @sorted = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
my $text = join ",", map { join "-", @{$by_tail{$_}} } sort keys %by_tail;
my @parts = split /[,-]/, $text;
print scalar(@sorted), " ", length($text), " ", scalar(@parts), "\n";
