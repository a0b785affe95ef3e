/*
 * poisson.h - the two functions that a Poisson process needs, without libm.
 *
 * Layer: base. Both are good to about 1e-14 relative, far better than any sample is large.
 */
#ifndef FH_POISSON_H
#define FH_POISSON_H

#include "base.h"

/* 1 - exp(-x), for x >= 0. */
FH_INLINE double fh_one_less_exp(double x)
{
    if (x > 40) return 1; /* less than half a unit in the last place is missing */
    unsigned halvings = 0;
    while (x > 0.25) {
        x /= 2;
        halvings++;
    }
    double term = x, sum = x; /* x - x^2/2! + x^3/3! - ... */
    for (int n = 2; n < 14; n++) {
        term *= -x / n;
        sum += term;
    }
    while (halvings--) sum = sum * (2 - sum); /* 1 - (1 - s)^2 */
    return sum;
}

/* -ln(u), for 0 < u <= 1, normalised. */
FH_INLINE double fh_minus_ln(double u)
{
    union {
        double value;
        uint64_t bits;
    } parts = {u};
    int exponent = (int)(parts.bits >> 52) - 1022;
    parts.bits = (parts.bits & (((uint64_t)1 << 52) - 1)) | (uint64_t)1022 << 52; /* mantissa in [0.5, 1) */
    if (parts.value < 0.70710678118654752) {
        parts.value *= 2;
        exponent--;
    }
    double s = (parts.value - 1) / (parts.value + 1), square = s * s, power = s, sum = 0; /* ln m = 2 artanh s */
    for (int n = 1; n < 25; n += 2, power *= square) sum += power / n;
    return -(2 * sum + exponent * 0.69314718055994530942);
}

/* The next of a sequence of random numbers (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014:
 * the generator SplitMix64). */
FH_INLINE uint64_t fh_random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ULL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

/* An exponentially distributed number with the given mean. */
FH_INLINE double fh_random_exponential(uint64_t *state, double mean)
{
    return mean * fh_minus_ln((double)((fh_random_next(state) >> 11) + 1) * 0x1p-53);
}

#endif
