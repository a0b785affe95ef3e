#!/bin/sh
# Ghostscript: a generated PostScript file to a bitmap and to PDF, and that PDF to a bitmap again. The PDF's dates and
# identifiers are struck out before the comparison.
# shellcheck source=tests/programs/lib.sh
. "$(dirname "$0")/lib.sh"
need gs ghostscript

cat >drawing.ps <<'PS'
%!PS-Adobe-3.0
/Times-Roman findfont 11 scalefont setfont
/seed 1234 def
/random { /seed seed 16807 mul 2147483647 mod cvi 65521 mod 1 add def seed exch mod } def
/leaf { gsave newpath 0 0 moveto 20 10 20 -10 0 20 curveto closepath
    7 random 7 div 5 random 5 div 3 random 3 div setrgbcolor fill grestore } def
/branch { dup 0 gt { gsave 0 0 moveto 0 24 lineto stroke 0 24 translate .82 .82 scale
    gsave 28 rotate dup 1 sub branch pop grestore gsave -33 rotate dup 1 sub branch pop grestore grestore }
    { leaf } ifelse } def
1 1 4 { /page exch def
    gsave 300 120 translate 4 4 scale 11 branch pop grestore
    0 1 30 { dup 20 mul 90 add 40 exch moveto (line ) show 20 string cvs show ( of page ) show
        page 20 string cvs show ( ) show 60 { 26 random 97 add 1 string dup 0 4 -1 roll put show } repeat } for
    /dict1 200 dict def
    0 1 900 { dup 30 string cvs cvn exch dup 50 mod 1 add array dict1 3 1 roll exch pop
        1 index type /dicttype eq { 3 1 roll pop exch pop } if pop } for
    gsave 60 740 translate 120 40 scale 24 8 8 [24 0 0 8 0 0] { 24 string 0 1 23 { 1 index exch 200 random put } for }
        image grestore
    << /ShadingType 2 /ColorSpace /DeviceRGB /Coords [200 700 560 760] /Extend [false false]
       /Function << /FunctionType 2 /Domain [0 1] /C0 [1 0 0] /C1 [0 0 1] /N 1.4 >> >>
    gsave newpath 200 700 moveto 560 700 lineto 560 770 lineto closepath clip shfill grestore
    showpage
} for
PS

# makes NAME RUNNER: the three files of one run, under NAME.
makes() {
    "$2" "$1.log" gs -q -dSAFER -dBATCH -dNOPAUSE -sDEVICE=ppmraw -r60 "-sOutputFile=$1-%d.ppm" drawing.ps
    "$2" "$1.pdf.log" gs -q -dSAFER -dBATCH -dNOPAUSE -sDEVICE=pdfwrite "-sOutputFile=$1.pdf" drawing.ps
    "$2" "$1.png.log" gs -q -dSAFER -dBATCH -dNOPAUSE -sDEVICE=png16m -r60 -dTextAlphaBits=4 \
        "-sOutputFile=$1-%d.png" "$1.pdf"
    sed -e '/^\/CreationDate/d; /^\/ModDate/d; /^\/ID \[/d; /uuid:/d; /<xmp:/d; /^%%Invocation/d' \
        -e 's/\/ID \[<[^]]*\]//; s/(D:[0-9Z+'"'"'-]*)//g' "$1.pdf" >"$1.plain"
}

makes expected on_system
check_at_exit
makes got on_freehold
for page in 1 2 3 4; do
    same "expected-$page.ppm" "got-$page.ppm" "page $page as a bitmap"
    same "expected-$page.png" "got-$page.png" "page $page by way of PDF"
done
same expected.plain got.plain "the PDF file"
ran_on got.log.err gs
ran_on got.pdf.log.err gs
binds gs --version
