/*
 * build_id.h - the build id of an ELF file: what tells one build of a program from another.
 */
#ifndef FREEHOLD_TOOL_BUILD_ID_H
#define FREEHOLD_TOOL_BUILD_ID_H

#include <stdbool.h>

enum { FH_BUILD_ID_TEXT = 129 };

/* In hexadecimal; false, and an empty text, when the file has none. */
bool fh_build_id_read(int fd, char text[FH_BUILD_ID_TEXT]);

#endif
