"""map_check.py KIND FILE [...] [, KIND FILE [...]]... - what `freehold map` and `report` wrote, read by others.

json MAP EXPLAIN      sums over the cells of each frame's last are those of the account
helper MAP            it shows what helper_map.c made
svg FILE              well-formed; a tooltip for each cell
png FILE              every checksum, and as many bytes as there should be
pixels FILE           unfiltered, it has white paper, and what is full of live blocks
html FILE WORD...     tags are balanced, no network, and the words are in it; scripts go to FILE.N.js
cells FILE EXPLAIN    sums over the cells of the page's last frame are those of the account
columns FILE          no line is wider than 80 columns
"""
import html.parser
import json
import re
import struct
import sys
import xml.etree.ElementTree as ElementTree
import zlib

ITEMS = ["live", "rounding", "cached", "free", "untouched", "metadata"]
VOID = {"meta", "br", "input", "link", "img", "hr"}


def check(condition, *what):
    if not condition:
        sys.exit("map_check: " + " ".join(str(w) for w in what))


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def cells_of(frame):
    return [(band, cell) for band in frame["bands"] for cell in band["cells"]]


def check_json(map_path, explain_path):
    frame, explain = load(map_path)["frames"][-1], load(explain_path)
    cells = [cell for _, cell in cells_of(frame)]
    check(cells, "no cells")
    check(frame["missed_bytes"] == 0, "missed", frame["missed_bytes"])
    for item in ITEMS:
        held = sum(cell.get(item + "_bytes", 0) for cell in cells)
        held += frame["stranded_bytes"] if item == "untouched" else 0
        check(held == explain["account"][item + "_bytes"], item, held, explain["account"])
        if explain["resident"]:
            resident = sum(cell.get(item + "_resident_bytes", 0) for cell in cells)
            check(resident == explain["resident"][item + "_bytes"], item, "resident", resident, explain["resident"])
    blocks = sum(cell.get("live_blocks", 0) for cell in cells)
    check(blocks == explain["blocks"]["live"], "blocks", blocks, explain["blocks"])
    for band, cell in cells_of(frame):
        held = sum(cell.get(item + "_bytes", 0) for item in ITEMS) + cell.get("unreadable_bytes", 0)
        # The tag of a slab stands in its second word, so what is below it ends 8 bytes within it.
        check(0 < held <= band["cell_bytes"] + 8, "a cell of", band["cell_bytes"], "holds", held)
        check(int(cell["start"], 16) % band["cell_bytes"] == 0, "a cell starts at", cell["start"])


def check_helper(map_path):
    frame = load(map_path)["frames"][0]
    cells = cells_of(frame)
    names = [band["name"] for band in frame["bands"]]
    check(any(name.startswith("heap 0") for name in names), "no heap 0 in", names)
    large = sum(cell["live_bytes"] for band, cell in cells if band["name"].startswith("large") and "live_bytes" in cell)
    check(2 << 20 <= large < (2 << 20) + 65536, "large blocks of", large, "bytes")
    classes = {}
    for _, cell in cells:
        for kind in cell.get("kinds", []):
            if kind["kind"] == "slabs":
                classes[kind["class_bytes"]] = classes.get(kind["class_bytes"], 0) + kind["bytes"]
    check(classes.get(208, 0) > 40000 * 208 * 0.9 / 2, "slabs of 208 bytes:", classes)
    full = [cell for _, cell in cells if cell.get("live_bytes", 0) * 20 > cell.get("free_bytes", 0) * 400 and
            cell.get("kinds", [{}])[0].get("class_bytes") == 208]
    check(sum(cell["live_blocks"] for cell in full) > 15000, "cells full of live blocks:", len(full))
    pinned = sum(cell.get("pinned_bytes", 0) for _, cell in cells)
    pinning = sum(cell.get("pinning_blocks", 0) for _, cell in cells)
    check(100 <= pinning <= 400 and pinned > pinning * 2000, pinning, "blocks keep", pinned, "bytes")
    owners = {owner["thread"] for _, cell in cells for owner in cell.get("owners", [])}
    check(len(owners) >= 2, "owners:", owners)


def check_svg(path):
    root = ElementTree.parse(path).getroot()
    name = "{http://www.w3.org/2000/svg}"
    check(root.tag == name + "svg", root.tag)
    groups = root.findall(name + "g")
    check(len(groups) > 20, len(groups), "cells")
    for group in groups:
        title = group.find(name + "title")
        check(title is not None and re.match(r"0x[0-9a-f]+ to 0x[0-9a-f]+\n.* held, .* in memory", title.text),
              "tooltip", title is not None and title.text)
        check(group.find(name + "rect") is not None, "a cell without a rectangle")
    with open(path, encoding="utf-8") as file:
        check(not re.search(r"(src|href)=|https?://(?!www\.w3\.org/2000/svg)", file.read()), "needs a network")


def chunks_of(data):
    check(data[:8] == b"\x89PNG\r\n\x1a\n", "no signature")
    at = 8
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        check(struct.unpack(">I", data[at + 8 + size:at + 12 + size])[0] == zlib.crc32(kind + body), "checksum", kind)
        yield kind, body
        at += size + 12


def unpack(path):
    with open(path, "rb") as file:
        chunks = dict(chunks_of(file.read()))
    check(list(chunks) == [b"IHDR", b"IDAT", b"IEND"], list(chunks))
    width, height, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    check(rest == [8, 2, 0, 0, 0], rest)
    data = zlib.decompress(chunks[b"IDAT"])
    check(len(data) == (3 * width + 1) * height, len(data), "bytes of", width, "x", height)
    return width, height, data


def check_png(path):
    unpack(path)


def check_pixels(path):
    width, height, data = unpack(path)
    above, colors = bytearray(3 * width), set()
    for y in range(height):
        line = bytearray(data[y * (3 * width + 1) + 1:(y + 1) * (3 * width + 1)])
        if data[y * (3 * width + 1)] == 1:
            for x in range(3, 3 * width):
                line[x] = (line[x] + line[x - 3]) & 255
        else:
            line = bytearray((a + b) & 255 for a, b in zip(line, above))
        check(bytes(line[:3]) == b"\xff\xff\xff", "the left edge is not white in row", y)
        colors.update(bytes(line[x:x + 3]) for x in range(0, 3 * width, 24))
        above = line
    check(b"\x01\x4b\x79" in colors, "no cell is full of live blocks")


class Page(html.parser.HTMLParser):
    """Checks that tags are balanced; collects scripts and text."""

    def __init__(self):
        super().__init__()
        self.open, self.scripts, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            check(name not in ("src", "href"), tag, name, value)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        check(self.open and self.open[-1] == tag, "</%s> closes" % tag, self.open)
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        elif not self.open or self.open[-1] != "style":
            self.text.append(data)


def check_html(path, *words):
    page = Page()
    with open(path, encoding="utf-8") as file:
        text = file.read()
    check(text.startswith("<!DOCTYPE html>"), "no DOCTYPE")
    page.feed(text)
    page.close()
    check(not page.open, "never closed:", page.open)
    check(not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|url\(", text), "needs a network")
    said = " ".join(page.text)
    for word in words:
        check(word in said, "nothing of '%s' in the page" % word)
    for i, script in enumerate(page.scripts):
        with open("%s.%d.js" % (path, i), "w", encoding="utf-8") as file:
            file.write(script)


def check_cells(path, explain_path):
    explain = load(explain_path)
    with open(path, encoding="utf-8") as file:
        frames = re.findall(r"cells: '([^']*)'", file.read())
    check(frames, "no cells in the page")
    rows = [[int(n or 0) for n in cell.split(",")] for cell in frames[-1].split(";")]
    for i, item in enumerate(ITEMS):
        held = sum(row[4 + i] for row in rows if len(row) > 4 + i)
        check(held == explain["account"][item + "_bytes"], item, held, explain["account"])


def check_columns(path):
    with open(path, encoding="utf-8") as file:
        for line in re.sub("\x1b\\[[0-9;]*m", "", file.read()).split("\n"):
            check(len(line) <= 80, len(line), "columns:", line)


if __name__ == "__main__":
    words = sys.argv[1:] + [","]
    while words:
        end = words.index(",")
        globals()["check_" + words[0]](*words[1:end])
        words = words[end + 1:]
