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
    CLOSED_MOST_MS = 8000, /* memory that nobody uses any more should be back within 10 s (core/idle.c) */
    FORGOTTEN = 4,         /* after so many times as long without a regret the next is like the first */
    LEAST_NS = 500,        /* what a page costs before that is known */
    SHARE = 16,            /* giving back may take one part in so many of the time */
    PATIENCE = 64
};

/* Of a page of 4 KiB: dropped, faulted in again and cleared by the kernel. Tried out when something is given back for
 * the first time; threads that do so together find about the same. */
static uint32_t page_cost_ns;

static void learn_cost(void)
{
    if (FH_UNLIKELY(!fh_load_relaxed(&page_cost_ns))) fh_store_relaxed(&page_cost_ns, fh_os_page_cost_ns());
}

static uint64_t cost_us(size_t bytes)
{
    uint64_t ns = fh_max(fh_load_relaxed(&page_cost_ns), LEAST_NS);
    return bytes / 4096 * ns / 1000;
}

bool fh_gate_is_open(struct fh_gate *gate)
{
    if (!fh_load_relaxed(&fh_options.give_back)) return false;
    if (FH_LIKELY(!gate->closed_until_ms)) {
        learn_cost();
        return true;
    }
    if (gate->patience) {
        gate->patience--;
        return false;
    }
    gate->patience = PATIENCE;
    if (fh_os_now_ms() < gate->closed_until_ms) return false;
    gate->closed_until_ms = gate->patience = 0;
    return true;
}

bool fh_gate_is_past(const struct fh_gate *gate)
{
    if (!fh_load_relaxed(&fh_options.give_back)) return false;
    learn_cost();
    return fh_os_now_ms() >= gate->closed_until_ms;
}

void fh_gate_close(struct fh_gate *gate, uint64_t ms)
{
    gate->closed_until_ms = fh_max(gate->closed_until_ms, fh_os_now_ms() + ms);
}

void fh_gate_regret(struct fh_gate *gate, size_t bytes)
{
    uint64_t now_ms = fh_os_now_ms(), now_us = now_ms * 1000;
    if (now_ms >= gate->regretted_until_ms) { /* not one of those that come with the first */
        uint64_t last_ms = gate->closed_least_ms;
        bool again = last_ms && now_ms - gate->regretted_until_ms <= FORGOTTEN * last_ms;
        gate->closed_least_ms = (uint32_t)(again ? fh_min(2 * last_ms, CLOSED_MOST_MS) : CLOSED_LEAST_MS);
    }
    /* Regrets add up: the second of two must not hide behind the first. */
    gate->owed_until_us = fh_max(gate->owed_until_us, now_us) + cost_us(bytes) * SHARE;
    gate->owed_until_us = fh_min(gate->owed_until_us, now_us + CLOSED_MOST_MS * 1000);
    gate->regretted_until_ms = fh_max(now_ms + gate->closed_least_ms, gate->owed_until_us / 1000);
    gate->closed_until_ms = fh_max(gate->closed_until_ms, gate->regretted_until_ms);
}
