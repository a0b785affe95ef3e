/*
 * kernel_plain.c - for the model against the product library, which has no gate before the kernel: no storms; the break
 * is refused by a limit.
 */
#include <sys/resource.h>

#include "model.h"

void kernel_refuse_break(void) { setrlimit(RLIMIT_DATA, &(struct rlimit){4096, 4096}); }
void kernel_calm(void) {}
void kernel_maybe_storm(struct random *random) { (void)random_next(random); }
