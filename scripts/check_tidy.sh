#!/bin/sh
# check_tidy.sh ROOT - what every source file of the project keeps to:
#   a comment that says its purpose on the first line (after #! in scripts); no tabs; no spaces at the end of a line;
#   lines of at most 120 columns; no include that climbs with ".."; nothing marked as still to do; at most 600 lines.
# Over 500 lines, and functions over 70 lines, are only remarked upon.
set -eu
export LC_ALL=C
cd "$1"

# shellcheck disable=SC2016  # the program is awk's
find src include tools tests bench cmake scripts dev .ci CMakeLists.txt -type f 2>/dev/null |
    grep -E '(\.(c|h|cc|cpp|def|map|S|js|css|sh|cmake|py|pl|lua)|CMakeLists\.txt|/run|^dev)$' | sort |
    while IFS= read -r file; do
        printf '%s\0' "$file"
    done | xargs -0 awk '
    function complain(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; bad++ }
    function finish() {
        if (file == "") return
        if (lines > 600) { printf "%s: %d lines; 600 is the most\n", file, lines; bad++ }
        else if (lines > 500) printf "%s: %d lines; a file should stay below 500 (remark)\n", file, lines
    }
    FNR == 1 {
        finish()
        file = FILENAME
        is_c = file ~ /\.(c|h|cc|cpp|def|map|S|js|css)$/
        comment_line = /^#!/ ? 2 : 1
        in_function = 0
    }
    { lines = FNR }
    FNR == comment_line && (is_c ? !/^(\/\*|\/\/)/ : !/^(#|--|"""|r""")/) {
        complain("does not begin with a comment: its purpose")
    }
    /\t/ { complain("tab") }
    /[ \r]$/ { complain("space at the end of the line") }
    is_c && /^ *# *include *["<][^">]*\.\.\// { complain("include that climbs out of its folder") }
    /TO[D]O|FIX[M]E/ { complain("something still to do") }
    length > 120 {
        # Columns, not bytes: what continues a UTF-8 character does not count.
        text = $0
        gsub(/[\200-\277]/, "", text)
        if (length(text) > 120) complain("longer than 120 columns")
    }
    is_c && /^\{/ { in_function = FNR }
    is_c && /^\}/ {
        if (in_function && FNR - in_function > 70)
            printf "%s:%d: function of %d lines; 70 is the guide (remark)\n", FILENAME, in_function, FNR - in_function
        in_function = 0
    }
    END { finish(); exit bad > 0 }
    '
