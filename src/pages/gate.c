/*
 * gate.c - see gate.h.
 *
 * Layer: pages.
 */
#include "gate.h"

#include "atomics.h"
#include "options.h"
#include "os.h"

enum {
    CLOSED_LEAST_MS = 1000,
    US_PER_16_PAGES = 40, /* of 4 KiB: dropped, faulted in again and cleared by the kernel */
    SHARE = 16,           /* giving back may take one part in so many of the time */
    PATIENCE = 64
};

bool fh_gate_is_open(struct fh_gate *gate)
{
    if (!fh_load_relaxed(&fh_options.give_back)) return false;
    if (FH_LIKELY(!gate->closed_until_ms)) return true;
    if (gate->patience) {
        gate->patience--;
        return false;
    }
    gate->patience = PATIENCE;
    if (fh_os_now_ms() < gate->closed_until_ms) return false;
    gate->closed_until_ms = gate->patience = 0;
    return true;
}

void fh_gate_close(struct fh_gate *gate, uint64_t ms)
{
    gate->closed_until_ms = fh_max(gate->closed_until_ms, fh_os_now_ms() + ms);
}

void fh_gate_regret(struct fh_gate *gate, size_t bytes)
{
    uint64_t now_us = fh_os_now_ms() * 1000;
    /* Regrets add up: the second of two must not hide behind the first. */
    gate->owed_until_us = fh_max(gate->owed_until_us, now_us) + (uint64_t)(bytes >> 16) * US_PER_16_PAGES * SHARE;
    gate->closed_until_ms =
        fh_max(gate->closed_until_ms, fh_max(now_us / 1000 + CLOSED_LEAST_MS, gate->owed_until_us / 1000));
}
