/*
 * helper_malloc.c - a library that looks like an allocator: malloc in front of glibc's, and one symbol (MARK) by which
 * a known allocator is recognised. As the stand-in for libfreehold (STAND_IN) it also says that it is there, when
 * asked.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern void *__libc_malloc(size_t bytes);
void *malloc(size_t bytes)
{
    return __libc_malloc(bytes);
}

#ifdef MARK
int helper_mark(void) __asm__(MARK);
int helper_mark(void)
{
    return 0;
}
#endif

#ifdef STAND_IN
__attribute__((constructor)) static void say(void)
{
    static const char text[] = "stand-in is here\n";
    if (getenv("STAND_IN_SAY") && write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
        abort();
}
#endif
