/*
 * helper_show.c - shows what a program got: its arguments, one a line in brackets, and its standard input.
 */
#include <stdio.h>

int main(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        printf("[%s]\n", argv[i]);
    for (int c; (c = getchar()) != EOF;)
        putchar(c);
    return 0;
}
