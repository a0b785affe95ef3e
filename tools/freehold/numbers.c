/*
 * numbers.c - numbers for people.
 */
#include "numbers.h"

#include <stdio.h>

const char *fh_number(char out[FH_NUMBER_BYTES], uint64_t value)
{
    char digits[FH_NUMBER_BYTES];
    int count = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
    char *to = out;
    for (int i = 0; i < count; i++) {
        if (i > 0 && (count - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return out;
}

const char *fh_duration(char out[FH_NUMBER_BYTES], double ns)
{
    static const struct {
        double unit;
        const char *name;
    } units[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}};
    int i = 0;
    while (i < 3 && ns < units[i].unit)
        i++;
    double value = ns / units[i].unit;
    snprintf(out, FH_NUMBER_BYTES, "%.*f %s", units[i].unit == 1 ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0, value,
             units[i].name);
    return out;
}
