/*
 * units.c - numbers as people read them.
 */
#include "units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *fh_grouped(uint64_t number, char text[FH_UNIT_BYTES])
{
    char digits[24];
    int length = snprintf(digits, sizeof(digits), "%" PRIu64, number), used = 0;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = '\0';
    return text;
}

const char *fh_human(uint64_t bytes, char text[FH_UNIT_BYTES])
{
    static const char *const units[] = {"bytes", "KB", "MB", "GB", "TB"};
    double value = (double)bytes;
    unsigned unit = 0;
    for (; value >= 999.5 && unit < 4; unit++)
        value /= 1000;
    snprintf(text, FH_UNIT_BYTES, unit && value < 99.95 ? "%.1f %s" : "%.0f %s", value,
             unit == 0 && bytes == 1 ? "byte" : units[unit]);
    return text;
}

const char *fh_hex(uint64_t address, char text[FH_UNIT_BYTES])
{
    snprintf(text, FH_UNIT_BYTES, "0x%012" PRIx64, address);
    return text;
}

const char *fh_age(uint64_t ms, char text[FH_UNIT_BYTES])
{
    static const struct {
        uint64_t ms;
        const char *name;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}};
    unsigned unit = 0;
    while (unit < 3 && ms < 2 * units[unit].ms)
        unit++;
    snprintf(text, FH_UNIT_BYTES, "%" PRIu64 " %s", ms / units[unit].ms, units[unit].name);
    return text;
}

const char *fh_duration(double ns, char text[FH_UNIT_BYTES])
{
    static const struct {
        double unit;
        const char *name;
    } units[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}};
    int i = 0;
    while (i < 3 && ns < units[i].unit)
        i++;
    double value = ns / units[i].unit;
    snprintf(text, FH_UNIT_BYTES, "%.*f %s", units[i].unit == 1 ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0, value,
             units[i].name);
    return text;
}

double fh_percent(uint64_t part, uint64_t whole) { return whole ? 100.0 * (double)part / (double)whole : 0; }
