/*
 * sizes.c - the sizes and alignments that are asked for: around every boundary that the allocator has, and beyond.
 */
#include "model.h"

size_t size_of_mix(struct worker *worker, enum size_mix mix)
{
    struct random *random = &worker->random;
    switch (mix) {
    case MIX_TINY: return random_below(random, 33);
    case MIX_SMALL: return random_between(random, 1, 256);
    case MIX_CUTOFF: return random_between(random, 232, 288);
    case MIX_MEDIUM: return random_between(random, 257, 40000);
    case MIX_THRESHOLD: return random_between(random, 131072 - 4200, 131072 + 4200);
    case MIX_LARGE: return random_between(random, 131072, random_one_in(random, 8) ? 8 << 20 : 1 << 19);
    case MIX_POWER: return random_next(random) >> random_between(random, 45, 63);
    case MIX_ONE: return worker->mix_size;
    case MIX_EVERYTHING: break;
    }
    size_t dice = random_below(random, 1000);
    if (dice < 150) return size_of_mix(worker, MIX_TINY);
    if (dice < 550) return size_of_mix(worker, MIX_SMALL);
    if (dice < 620) return size_of_mix(worker, MIX_CUTOFF);
    if (dice < 820) return random_between(random, 257, 4096);
    if (dice < 900) return size_of_mix(worker, MIX_MEDIUM);
    if (dice < 904) return size_of_mix(worker, MIX_THRESHOLD);
    if (dice < 906) return size_of_mix(worker, MIX_LARGE);
    return size_of_mix(worker, MIX_POWER);
}

size_t random_size(struct worker *worker)
{
    bool stray = random_one_in(&worker->random, 8);
    return size_of_mix(worker, stray ? MIX_EVERYTHING : worker->mix);
}

/* Large enough that no machine has it; some overflow when a header or an alignment is added. */
size_t impossible_size(struct random *random)
{
    static const size_t bases[] = {SIZE_MAX, PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1, (size_t)1 << 48, (size_t)1 << 62};
    size_t base = bases[random_below(random, sizeof bases / sizeof bases[0])], off = random_below(random, 5000);
    return base == SIZE_MAX || random_one_in(random, 2) ? base - off : base + off;
}

size_t random_alignment(struct random *random)
{
    size_t dice = random_below(random, 100);
    if (dice < 60) return (size_t)8 << random_below(random, 6);
    if (dice < 95) return (size_t)256 << random_below(random, 5);
    return (size_t)4096 << random_below(random, 9);
}
