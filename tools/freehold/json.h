/*
 * json.h - writing JSON to stdout, as far as a verb needs it.
 */
#ifndef FREEHOLD_TOOL_JSON_H
#define FREEHOLD_TOOL_JSON_H

/* Writes `text` as a JSON string; null for NULL. Bytes that are not UTF-8 become U+FFFD, as JSON has no other way. */
void fh_json_string(const char *text);

#endif
