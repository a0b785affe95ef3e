/*
 * b11_secure - in a setuid program nothing is read from the environment (CVE-2023-4911 was a heap overflow in just
 * that).
 *
 * The program is linked statically against the library and prints what it sees of the environment's influence. The
 * script b11_secure.sh runs it plainly and as a setuid copy.
 * Output: "secure" or "plain", then "perturbed" or "clean", then the number of mappings that 100,000 bytes got.
 */
#include "bugs.h"

#include <sys/auxv.h>

int main(void)
{
    size_t mappings = mallinfo2().hblks;
    void *p = malloc(100000);
    unsigned char *bytes[50];
    int perturbed = 0;

    CHECK(fh_version() != NULL && p != NULL);
    mappings = mallinfo2().hblks - mappings;
    for (int i = 0; i < 50; i++) {
        bytes[i] = malloc(2000);
        CHECK(bytes[i] != NULL);
        perturbed += bytes[i][1000] == (0xa5 ^ 0xff);
    }
    printf("%s %s %zu\n", getauxval(AT_SECURE) ? "secure" : "plain", perturbed == 50 ? "perturbed" : "clean", mappings);
    for (int i = 0; i < 50; i++)
        free(bytes[i]);
    free(p);
    return 0;
}
